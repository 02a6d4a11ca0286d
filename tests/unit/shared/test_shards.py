"""A member's shard is the partition that Kafka's own default partitioner gives their key."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.shards import member_key, murmur2, shard_of


# The vectors of Kafka's own test of its hash, as signed 32-bit numbers.
@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=64))
def test_murmur2_agrees_with_the_client_library(key: bytes) -> None:
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.integers(1, 128))
def test_a_member_stays_on_one_of_the_shards(program: str, member: str, shards: int) -> None:
    assert 0 <= shard_of(program, member, shards) < shards
    assert shard_of(program, member, shards) == (murmur2(member_key(program, member).encode()) & 0x7FFFFFFF) % shards
