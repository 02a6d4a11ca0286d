"""The codec in: bytes of a Kafka record to a fact, or to a dead letter with its reason."""
