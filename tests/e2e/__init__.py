"""End to end: the services as processes of their own, on the real Kafka and the real Postgres."""
