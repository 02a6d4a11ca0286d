"""What both services speak: point events, topics, shards, money, errors, and their edges to Kafka and Postgres."""
