"""Apache Kafka and PostgreSQL on this machine without Docker, Maven or a JDK: for the demo, the tests and the curious.

The stack trusts everybody on this machine; it is no way to run a production.
"""

from deploy.local_stack.errors import LocalStackError
from deploy.local_stack.kafka import KafkaServer
from deploy.local_stack.postgres import PostgresServer
from deploy.local_stack.stack import Endpoints, LocalStack, ServerStatus

__all__ = ["Endpoints", "KafkaServer", "LocalStack", "LocalStackError", "PostgresServer", "ServerStatus"]
