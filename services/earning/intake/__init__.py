"""Intake: inputs are read from Kafka, partition by partition, and decided in batches."""
