"""A member with a long life costs no more than a new one: a small standing, few rows read."""

from __future__ import annotations

from tests.bench.cost import OLD, live_long, opened

ORDERS, LOTS = 3_000, 1_000
STANDING_BYTES_MAX = 4096
FACTS = 5


async def test_a_long_life_leaves_a_small_standing_and_few_rows_to_read(dsn: str) -> None:
    session, till = await opened(dsn)
    try:
        await live_long(till, ORDERS, LOTS)
        size = await session.fetchval("SELECT length(body) FROM earning.standings WHERE member = $1", OLD)
        left = await session.fetchval("SELECT count(*) FROM earning.lots WHERE remaining > 0")
        assert size <= STANDING_BYTES_MAX
        assert LOTS <= left < LOTS + LOTS // 10

        queries: list[tuple[str, int]] = []
        session.add_query_logger(lambda record: queries.append((record.query, 1)))
        for _ in range(FACTS):
            await till.pay([OLD])
        old = len(queries)
        queries.clear()
        for number in range(FACTS):
            await till.pay([f"young-{number}"])
        assert old <= len(queries) + FACTS  # a statement that looks for the standing's rows, at most
    finally:
        await session.close()
