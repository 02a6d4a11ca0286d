"""Shards: which partition a member belongs to, by the rule of Kafka's default partitioner."""

from __future__ import annotations

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_R = 24


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 of `data`, as an unsigned 32-bit integer (source: org.apache.kafka.common.utils.Utils)."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * _M) & _MASK
        k = ((k ^ (k >> _R)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def member_key(program: str, member: str) -> str:
    """The key of every record, in and out: `program/member`."""
    return f"{program}/{member}"


@lru_cache(maxsize=131_072)
def shard_of(program: str, member: str, shards: int) -> int:
    """The shard of a member, 0 ≤ shard < `shards`: the partition Kafka's default partitioner gives their key."""
    return (murmur2(member_key(program, member).encode()) & 0x7FFFFFFF) % shards
