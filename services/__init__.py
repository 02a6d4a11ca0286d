"""The programs that run: earning, projections, and the operator's command."""
