"""Tasks: what long-lived work needs: trying again, and leases."""
