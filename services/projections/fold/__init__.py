"""Pure: what a point event means for a row of the read models."""
