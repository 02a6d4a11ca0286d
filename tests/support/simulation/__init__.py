"""Simulation: both services, as they are, against doubles of Kafka and Postgres in one process; a seed tells it all."""
