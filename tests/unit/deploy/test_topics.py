"""The plan of the topics: nothing is left to a default that could lose data."""

import pytest

from deploy.topics import TopicPlan, planned
from shared.topics import Topics

MIB = 1024 * 1024


def plan(brokers: int = 1) -> dict[str, TopicPlan]:
    return {topic.name: topic for topic in planned(Topics(), 8, brokers)}


def test_facts_and_points_have_one_partition_a_shard() -> None:
    topics = Topics()
    assert {plan()[name].partitions for name in (*topics.inputs, topics.points)} == {8}
    assert plan()[topics.programs].partitions == 1


def test_points_and_programs_are_kept_for_ever() -> None:
    for name in (Topics().points, Topics().programs):
        settings = plan()[name].settings
        assert (settings["retention.ms"], settings["retention.bytes"]) == ("-1", "-1")


@pytest.mark.parametrize("name", Topics().all)
def test_every_topic_has_what_keeps_data_safe(name: str) -> None:
    settings = plan()[name].settings
    assert settings["cleanup.policy"] == "delete"
    assert settings["compression.type"] == "producer"
    assert settings["unclean.leader.election.enable"] == "false"
    assert int(settings["max.message.bytes"]) >= MIB
    assert 5 * 60_000 <= int(settings["message.timestamp.after.max.ms"]) <= 60 * 60_000


def test_what_is_said_of_the_present_bears_the_brokers_time() -> None:
    """A worker whose clock is hours ahead may still set records aside and publish programs."""
    topics = Topics()
    for name in topics.all:
        told_by_broker = name in (topics.programs, topics.dead_letters)
        expected = "LogAppendTime" if told_by_broker else "CreateTime"
        assert plan()[name].settings["message.timestamp.type"] == expected


@pytest.mark.parametrize(("brokers", "replicas", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (5, 3, "2")])
def test_three_brokers_keep_two_copies_in_sync(brokers: int, replicas: int, in_sync: str) -> None:
    for topic in plan(brokers).values():
        assert topic.replicas == replicas
        assert topic.settings["min.insync.replicas"] == in_sync
