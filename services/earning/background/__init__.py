"""Background: what nobody's fact triggers: messages between members, dues, the watermark, holds, the backlog."""
