"""What can be known of deploying without a server."""
