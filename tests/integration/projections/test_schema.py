"""The read models as a contract: every column explained, readers who read the views and nothing else."""

import asyncpg
import pytest

from tests.integration.projections.projection_rig import Desk

VIEWS = {
    "balances": (
        "program, member, available, pending, deficit, earned, restored, adjusted, imported, expired_reversed,"
        " forgiven, reinstated, transferred_in, transferred_out, reversed, redeemed, expired, reverted, next_expiry_at,"
        " next_expiry_points, booked_at, sequence"
    ),
    "tiers": "program, member, tier, since, valid_until, qualifying, to_next, to_keep, booked_at",
    "history": (
        "program, member, sequence, occurred_at, booked_at, kind, why, change, balance, pending, deficit, net, source,"
        " order_id, key_kind, key_id, reason, rules, tier, program_version, partition, position,"
        " rules_json"
    ),
    "points_status": (
        "program, day, opening, earned, reversed, redeemed, restored, expired, reinstated, adjusted, imported,"
        " reverted, forgiven, other, closing, events"
    ),
    "redemptions": (
        "program, member, source, redemption_id, status, points, restored, reason, requested_at, decided_at,"
        " restored_at"
    ),
    "points_sources": "program, source, kind, rule, earned, reversed, awards",
    "top_earners": "program, rank, member, points, earned, reversed, available",
    "program_metrics": (
        "program, members, active_members, redeeming_members, available, pending, deficit, earned, redeemed, expired,"
        " redemption_rate"
    ),
}


async def test_names_of_views_and_columns_are_a_contract(desk: Desk) -> None:
    rows = await desk.rows(
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_schema = 'loyalty' GROUP BY table_name"
    )
    found = {row[0]: row[1] for row in rows}
    assert found | VIEWS == found, "a view or column was renamed or removed: changes are additive"


async def test_every_view_and_column_has_a_comment(desk: Desk) -> None:
    rows = await desk.rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE n.nspname = 'loyalty' AND c.relkind = 'v'"
        " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"
    )
    assert rows == []


@pytest.mark.parametrize("role", ["analyst", "api"])
async def test_readers_can_read_the_views(desk: Desk, role: str) -> None:
    for view in VIEWS:
        await desk.rows(f"TABLE loyalty.{view}", role=role)


@pytest.mark.parametrize("role", ["analyst", "api"])
async def test_readers_can_read_nothing_else(desk: Desk, role: str) -> None:
    relations = await desk.rows(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('earning', 'projections')"
    )
    assert len(relations) > len(VIEWS)
    for schema, relation in relations:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.rows(f"TABLE {schema}.{relation}", role=role)


@pytest.mark.parametrize("role", ["analyst", "api"])
@pytest.mark.parametrize("view", VIEWS)
async def test_readers_can_write_nothing(desk: Desk, role: str, view: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
        await desk.rows(f"DELETE FROM loyalty.{view}", role=role)  # noqa: S608 (names of our own)


async def test_readers_cannot_make_tables_of_their_own_beside_ours(desk: Desk) -> None:
    for schema in ("loyalty", "projections", "public"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.rows(f"CREATE TABLE {schema}.mine ()", role="analyst")


async def test_readers_and_services_cannot_change_what_the_views_show(desk: Desk) -> None:
    for role in ("analyst", "api", "earning", "projector"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.rows("CREATE OR REPLACE VIEW loyalty.balances AS SELECT 1 AS program", role=role)
