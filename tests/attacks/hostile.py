"""Hostile publishers: records as other clients write them, byte by byte, and as nobody should.

A batch is built here from nothing (https://kafka.apache.org/documentation/#recordbatch), because every client library
refuses some of what a broker takes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple, Protocol, Self

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from confluent_kafka import Producer

from shared.broker import RECORD_BYTES_MAX

Codec = Literal["none", "gzip", "snappy", "lz4", "zstd"]
CODECS: dict[Codec, int] = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

NO_TIMESTAMP = -1
_TIMEOUT_MS = 60_000
_CHUNK = 1 << 20
_SNAPPY_BLOCK = 32 << 10
_ALL_ACKNOWLEDGE = -1
_GZIP_WINDOW = 31
_LATIN_1 = "größe".encode("latin-1")


class Blanks(NamedTuple):
    """A value of so many blanks, which is never held in memory as a whole."""

    size: int


class Raw(NamedTuple):
    """A record as it is on the wire: header names are bytes, whatever they mean; a null is a length of −1."""

    key: bytes | None
    value: bytes | Blanks | None
    headers: Sequence[tuple[bytes | None, bytes | None]] = ()
    timestamp_ms: int = NO_TIMESTAMP


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> Any: ...
    def flush(self) -> Any: ...


def batch(records: Sequence[Raw], *, codec: Codec = "none") -> bytes:
    """A record batch of version 2 with these records."""
    base = records[0].timestamp_ms
    body = _pack((chunk for number, record in enumerate(records) for chunk in _record(number, record, base)), codec)
    checked = struct.pack(
        ">hiqqqhii",
        CODECS[codec],
        len(records) - 1,
        base,
        max(record.timestamp_ms for record in records),
        -1,  # no producer id, epoch and sequence: neither idempotent nor in a transaction
        -1,
        -1,
        len(records),
    )
    covered = checked + body
    return struct.pack(">qiibI", 0, len(covered) + 9, -1, 2, calc_crc32c(covered)) + covered


def _record(number: int, record: Raw, base_ms: int) -> Iterator[bytes]:
    value = record.value
    size = -1 if value is None else value.size if isinstance(value, Blanks) else len(value)
    before = b"\0" + _varint(record.timestamp_ms - base_ms) + _varint(number) + _field(record.key) + _varint(size)
    after = _varint(len(record.headers)) + b"".join(_field(name) + _field(text) for name, text in record.headers)
    yield _varint(len(before) + max(size, 0) + len(after)) + before
    if isinstance(value, Blanks):
        blank = b" " * _CHUNK
        yield from (blank for _ in range(size // _CHUNK))
        yield b" " * (size % _CHUNK)
    elif value:
        yield value
    yield after


def _field(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _pack(chunks: Iterable[bytes], codec: Codec) -> bytes:
    """The chunks, packed as they come: what unpacks to gigabytes needs kilobytes here."""
    match codec:
        case "none":
            return b"".join(chunks)
        case "gzip":
            return _streamed(zlib.compressobj(9, zlib.DEFLATED, _GZIP_WINDOW), chunks)
        case "snappy":
            return _snappy(chunks)
        case "lz4" | "zstd":
            # Kafka takes no blocks that lean on those before them.
            packer = cramjam.lz4.Compressor(block_linked=False) if codec == "lz4" else cramjam.zstd.Compressor()
            for chunk in chunks:
                packer.compress(chunk)
            return bytes(packer.finish())


def _streamed(packer: _Compressor, chunks: Iterable[bytes]) -> bytes:
    return b"".join(bytes(packer.compress(chunk)) for chunk in chunks) + bytes(packer.flush())


def _snappy(chunks: Iterable[bytes]) -> bytes:
    """Blocks behind the header that Java's clients expect."""
    out = bytearray(b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1))
    for chunk in chunks:
        for start in range(0, len(chunk), _SNAPPY_BLOCK):
            packed = bytes(cramjam.snappy.compress_raw(chunk[start : start + _SNAPPY_BLOCK]))
            out += struct.pack(">i", len(packed)) + packed
    return bytes(out)


class Wire:
    """A connection that hands batches to the broker as they are."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._client = AIOKafkaClient(
            bootstrap_servers=bootstrap_servers, client_id="neighbour", request_timeout_ms=_TIMEOUT_MS
        )
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def put(self, topic: str, partition: int, records: bytes) -> int:
        """Hand over a batch; gives the offset of its first record.

        Raises:
            KafkaError: the broker refuses it.
        """
        if topic not in self._known:
            self._known.add(topic)
            await self._client.set_topics(self._known)
            await self._client.force_metadata_update()
        leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
        request = ProduceRequest(None, _ALL_ACKNOWLEDGE, _TIMEOUT_MS, [(topic, [(partition, records)])])
        answer = await self._client.send(leader, request)
        [(_, [(_, code, offset, *_)])] = answer.topics
        if code:
            raise for_code(code)(f"{topic}/{partition}")
        first: int = offset
        return first


def unreadable_header(value: bytes = b"{}", key: bytes = b"k", *, timestamp_ms: int = 1_767_225_600_000) -> bytes:
    """A batch with one record whose header's name is Latin-1, as a client of another language may send it."""
    return batch([Raw(key, value, [(_LATIN_1, b"1")], timestamp_ms)])


def bomb(codec: Codec, size: int, key: bytes = b"bomb") -> bytes:
    """A batch of some kilobytes that unpacks to `size` bytes."""
    return batch([Raw(key, Blanks(size), (), 1_767_225_600_000)], codec=codec)


@asynccontextmanager
async def transactional(bootstrap_servers: str, name: str) -> AsyncIterator[AIOKafkaProducer]:
    """A publisher that writes in transactions, as Kafka Streams, Flink and outbox publishers do."""
    publisher = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        transactional_id=name,
        request_timeout_ms=15_000,
        max_request_size=RECORD_BYTES_MAX,
    )
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


def by_librdkafka(bootstrap_servers: str, topic: str, records: Iterable[tuple[bytes, bytes]], **settings: Any) -> None:
    """Publish (key, value) by librdkafka, as Node, Go, .NET, PHP and Python do; by default its own partitioner (CRC32).

    Raises:
        AssertionError: not all were delivered.
    """
    publisher = Producer({"bootstrap.servers": bootstrap_servers, **settings})
    for key, value in records:
        publisher.produce(topic, value, key)
        publisher.poll(0)
    assert publisher.flush(30) == 0


async def delete_records(bootstrap_servers: str, topic: str, partition: int, before: int) -> None:
    """Delete what lies before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()
