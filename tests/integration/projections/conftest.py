"""Fixtures of the projections' tests: topics of a test's own, with four partitions."""

import pytest

from shared.topics import Topics
from tests.integration.projections.kafka_log import make_topics
from tests.integration.projections.projection_rig import Desk
from tests.unit.projections.points_log import PointsLog

SHARDS = 4


@pytest.fixture
async def desk(bootstrap_servers: str, dsn: str, topics: Topics) -> Desk:
    """Where a test writes a points log, runs projections on it, and reads the tables."""
    await make_topics(bootstrap_servers, [topics.points, topics.dead_letters], SHARDS)
    return Desk(bootstrap_servers, dsn, topics, PointsLog(shards=SHARDS))
