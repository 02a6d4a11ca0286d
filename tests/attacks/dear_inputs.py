"""Dear inputs: single records, facts and documents, most of them within every documented limit, that cost much."""

from __future__ import annotations

import time

from shared.broker import Outgoing
from tests.attacks import hostile
from tests.attacks.catalogue import Catalogue
from tests.attacks.installation import SHARDS, Installation, PromiseBrokenError
from tests.attacks.told import MINIMAL, key_of, line, order, refunded, value_of

DEAR = Catalogue()
attack = DEAR.attack

_GIGABYTE = 1_100 << 20
_KEPT_BYTES = 1 << 20
_EVENT_BYTES = 256 << 10
_SUM_MAX = 10**15
_MOST_MONEY = "999999999999.999999"


@attack("F4", "a record's price is limited before it is paid: at most 400 MB, and no partition stops")
async def zstd_bomb(victim: Installation) -> str:
    """35 kB of zstd that unpack to 1.1 GB of blanks on one partition of the orders, orders behind it everywhere."""
    await victim.begin()
    await victim.put_raw(victim.topics.orders, 0, hostile.bomb("zstd", _GIGABYTE))
    return await _defused(victim, 1)


@attack("F4-codecs", "a record's price is limited before it is paid, whatever packed it", quick=False)
async def bombs_of_every_codec(victim: Installation) -> str:
    """The same by zstd, gzip and lz4, one a partition, and 300 MB by snappy; 200 MB unpacked bytes are no better."""
    await victim.begin()
    for place, (codec, size) in enumerate(
        (("zstd", 200 << 20), ("gzip", _GIGABYTE), ("lz4", _GIGABYTE), ("snappy", 300 << 20))
    ):
        await victim.put_raw(victim.topics.orders, place, hostile.bomb(codec, size))  # type: ignore[arg-type]
    return await _defused(victim, SHARDS)


async def _defused(victim: Installation, bombs: int) -> str:
    await victim.goes_on("at once", within=40)
    letters = await victim.letters()
    if len(letters) != bombs:
        raise PromiseBrokenError(f"{bombs} such records became {len(letters)} dead letters")
    if kept := max((letter.kept or 0) for letter in letters) > _KEPT_BYTES:
        raise PromiseBrokenError(f"a dead letter keeps {kept:,} bytes of its value")
    told = victim.within_memory()
    await victim.survives_a_restart()
    await victim.verified()
    return f"{told}; each is a dead letter"


@attack("F4-own", "a record's price is limited before it is paid on topics of ours, too", quick=False)
async def bombs_on_topics_of_ours(victim: Installation) -> str:
    """35 kB of zstd that unpack to 1.1 GB on the points, programs and dead-letter topics; restart, verify, rebuild."""
    await victim.begin()
    await victim.goes_on("before")
    for topic in (victim.topics.points, victim.topics.programs, victim.topics.dead_letters):
        await victim.put_raw(topic, 0, hostile.bomb("zstd", _GIGABYTE))
    await victim.survives_a_restart()
    told = victim.within_memory()
    await victim.verified()
    await victim.rebuilt()
    return told


@attack("F5", "read models never stop on earning's events: no sum leaves its range")
async def sums_beyond_64_bits(victim: Installation) -> str:
    """95 orders of one member, each of 1,000 lines of the most money a line may have, at 100 points a EUR."""
    await victim.begin(MINIMAL.replace("rate: 1", "rate: 100"))
    whale = victim.member_in(1, "whale")
    # The same fact 95 times but for its id: writing out a thousand lines each time is what would take long here.
    text = value_of(order(whale, "whale-ORDER", _MOST_MONEY, lines=1_000))
    key = key_of(order(whale, ""))
    for start in range(0, 95, 19):
        records = [Outgoing(key, text.replace(b"ORDER", b"%d" % one)) for one in range(start, start + 19)]
        await victim.put(victim.topics.orders, 1, *records)
    await victim.decided(95)
    other = victim.member_in(1, "neighbour")
    await victim.send([order(other, "neighbour-1")])
    await victim.comes(
        "SELECT available = 1000 FROM loyalty.balances WHERE member = $1", other, what="a neighbour's order is visible"
    )
    [(most,)] = await victim.rows("SELECT coalesce(max(earned), 0) FROM loyalty.balances")
    if int(str(most)) > _SUM_MAX:
        raise PromiseBrokenError(f"a member has earned {most} points; the limit is {_SUM_MAX}")
    await victim.verified()
    await victim.rebuilt()
    await victim.tallystick("explain", "corner-shop", whale)
    return f"the member has earned {most}; {len(await victim.letters())} orders are dead letters"


@attack("F13", "a number's length is limited before it is parsed: at most 400 MB, and events of at most 256 KiB")
async def trailing_zeros(victim: Installation) -> str:
    """300 orders of "1.000…0" with 900,000 zeros each."""
    await victim.begin()
    member = victim.member_in(2, "zero")
    for start in range(0, 300, 20):
        facts = [order(member, f"z-{one}", "1." + "0" * (900_000 + one)) for one in range(start, start + 20)]
        await victim.put(victim.topics.orders, 2, *(Outgoing(key_of(told), value_of(told)) for told in facts))
    await victim.decided(300)
    await victim.goes_on("behind them")
    [(longest,)] = await victim.rows("SELECT coalesce(max(length(bytes)), 0) FROM earning.journal")
    told_memory = victim.within_memory()
    if int(str(longest)) > _EVENT_BYTES:
        raise PromiseBrokenError(f"an event has {longest:,} bytes; {told_memory}")
    await victim.verified()
    return f"the longest event has {longest} bytes; {told_memory}"


@attack("F21-refunds", "refunds of one order cost a bounded time and space each", quick=False)
async def many_refunds(victim: Installation) -> str:
    """An order of 1,000 lines, refunded 200 times in every line; then once more, with another member's order behind."""
    await victim.begin()
    member = victim.member_in(0, "returner")
    await victim.send([order(member, "big", "10.00", lines=1_000)])
    amounts = {str(number + 1): "0.01" for number in range(1_000)}
    for start in range(0, 200, 20):
        await victim.send(refunded(member, "big", f"r-{one}", amounts) for one in range(start, start + 20))
    await victim.decided(201, within=200)
    began = time.monotonic()
    await victim.send([refunded(member, "big", "last", amounts)])
    await victim.decided(202)
    took = time.monotonic() - began
    [(longest,)] = await victim.rows("SELECT max(length(bytes)) FROM earning.journal")
    [(row,)] = await victim.rows("SELECT max(length(body)) FROM earning.keys")
    told = f"refund 201 took {took:.1f} s and rewrote a row of {row:,} bytes; the longest event has {longest:,} bytes"
    if took > 1.0 or int(str(longest)) > _EVENT_BYTES or int(str(row)) > _EVENT_BYTES:
        raise PromiseBrokenError(told)
    return told


@attack("F21-updates", "events have at most 256 KiB", quick=False)
async def update_with_many_refunds(victim: Installation) -> str:
    """One `commerce.order.updated` with 1,000 refunds of five lines each, within a record's 1 MiB."""
    await victim.begin()
    told = order("updater", "big", "10.00", lines=1_000)
    cents = [{"line_id": str(one + 1), "amount": "0.01"} for one in range(1_000)]
    refunds = [{"refund_id": f"r-{one}", "lines": cents[one % 200 * 5 : one % 200 * 5 + 5]} for one in range(1_000)]
    data = told["data"] | {"status": "paid", "refunds": refunds, "lines": [line(one + 1) for one in range(1_000)]}
    await victim.send([told | {"type": "commerce.order.updated.v1", "data": data}])
    await victim.decided(1)
    await victim.goes_on("behind it")
    [(longest,)] = await victim.rows("SELECT coalesce(max(length(bytes)), 0) FROM earning.journal")
    if int(str(longest)) > _EVENT_BYTES:
        raise PromiseBrokenError(f"an event has {longest:,} bytes")
    return f"the longest event has {longest:,} bytes"


@attack("F21-bom", "a dead letter's reason says what is wrong: a byte order mark is no JSON")
async def byte_order_mark(victim: Installation) -> str:
    """An order behind a byte order mark, and one at a leap second, which RFC 3339 knows."""
    await victim.begin()
    marked = order("ana", "marked")
    leap = order("ana", "leap") | {"time": "2016-12-31T23:59:60Z"}
    place = victim.partition("ana")
    await victim.put(
        victim.topics.orders, place, Outgoing(key_of(marked), b"\xef\xbb\xbf" + value_of(marked)),
        Outgoing(key_of(leap), value_of(leap)),
    )  # fmt: skip
    await victim.decided(2)
    letters = await victim.letters()
    if "not_json" not in {letter.reason for letter in letters}:
        raise PromiseBrokenError(f"a byte order mark is called {letters[0].reason}: {letters[0].text}")
    refused = [letter for letter in letters if letter.reason != "not_json"]
    if refused and "leap second" not in refused[0].text:
        raise PromiseBrokenError(f"a leap second is called {refused[0].reason}: {refused[0].text}")
    return "said in words"
