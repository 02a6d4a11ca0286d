"""Neighbours and operators: other installations, other settings, wrong files, facts in another order."""

from __future__ import annotations

import asyncio
import time

from shared.broker import Outgoing
from tests.attacks.catalogue import Catalogue
from tests.attacks.installation import Installation, PromiseBrokenError
from tests.attacks.told import MINIMAL, claimed, fact, line, order, value_of
from tests.chaos import poison

NEIGHBOURS = Catalogue()
attack = NEIGHBOURS.attack


@attack("F15", "facts in any order come to the same books: a claim of an id that is being claimed waits")
async def overlapping_claims(victim: Installation) -> str:
    """50 times at once: a member claims a guest, and another claims that member."""
    await victim.begin()
    await victim.send(order(f"guest-{one}", f"o-{one}") for one in range(50))
    await victim.decided(50)
    claims = [(claimed(f"first-{one}", f"guest-{one}"), claimed(f"second-{one}", f"first-{one}")) for one in range(50)]
    await victim.send([one for pair in claims for one in pair], victim.topics.commands)
    await victim.decided(150)
    arrived = "SELECT count(*) FROM loyalty.balances WHERE member LIKE 'second-%' AND available = 10"
    try:
        await victim.comes(f"SELECT ({arrived}) = 50", what="")
    except PromiseBrokenError:
        [(there,)] = await victim.rows(arrived)
        raise PromiseBrokenError(f"{there} of 50 second claims took effect; the others were refused for good") from None
    await victim.verified()
    return "all 50 second claims took effect"


@attack("F16", "two installations refuse each other: by identity, not by luck")
async def stray_worker(victim: Installation) -> str:
    """A second earning on the same database with another points topic, then a rolling restart of the right one."""
    await victim.begin()
    await victim.goes_on("before")
    other = f"{victim.topics.points}.other"
    await _make_like(victim, other)
    stray = victim.launch("earning", {"TOPIC_POINTS": other}, number=2)
    try:
        await victim.ready("earning-2", within=10)
    except PromiseBrokenError as refused:
        if stray.pid is None:
            await victim.survives_a_restart()
            return f"refused: {refused}"
    await victim.restart("earning")
    try:
        await victim.goes_on("beside a worker with another points topic")
    except PromiseBrokenError as error:
        status = await victim.status()
        raise PromiseBrokenError(f"{error}; `tallystick status` ends with {status['exit_code']}") from None
    raise PromiseBrokenError("a worker with another points topic on the same database becomes ready")


async def _make_like(victim: Installation, points: str) -> None:
    said = await victim.typed("topics", "create", TOPIC_POINTS=points)
    assert said.code == 0, said.text


@attack("F21-silent", "a service that can't open says why")
async def service_that_cannot_open(victim: Installation) -> str:
    """Earning with a DSN of another scheme, and one that names no database that is there."""
    await victim.begin(start=False)
    for wrong in (victim.dsn.replace("postgresql://", "mysql://"), victim.dsn.rsplit("/", 1)[0] + "/nowhere"):
        process = victim.launch("earning", {"POSTGRES_DSN": wrong})
        began = time.monotonic()
        while time.monotonic() - began < 10 and not _says_why(victim.log("earning")):
            await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(process.waiting_for))])
        if not _says_why(victim.log("earning")):
            raise PromiseBrokenError(f"10 s after its start its log says: {victim.last_words('earning')}")
        await victim.stop("earning")
    return "its log says why"


def _says_why(log: str) -> bool:
    return any(word in log for word in ("mysql", "scheme", "nowhere", "does not exist"))


@attack("F21-files", "the command ends errors with a cause and a cure, never with a traceback")
async def wrong_files(victim: Installation) -> str:
    """`tallystick publish` of files in Latin-1, with NUL, cut in the middle, empty, of one line of 5 MB."""
    await victim.begin(start=False)
    good = value_of(order("ana", "o-1"))
    files = {
        "latin-1": good.replace(b"till", b"gr\xf6\xdfe"), "nul": good.replace(b"till", b"\0"), "cut": good[:60],
        "empty": b"", "blanks": b"\n\n \n", "long": b'"' + b"x" * 5_000_000 + b'"', "list": b"[" + good + b"]",
        "deep": b"[" * 100_000, "utf-16": good.decode().encode("utf-16"), "number": b"9" * 5_000,
    }  # fmt: skip
    for name, content in files.items():
        file = victim.directory / f"{name}.jsonl"
        file.write_bytes(content)
        await victim.typed("publish", str(file))
    return f"{len(files)} files, each answered in words"


@attack("F21-rebuild", "the command ends errors with a cause and a cure, never with a traceback")
async def rebuild_without_the_role(victim: Installation) -> str:
    """`tallystick rebuild` as a login that may be earning and projector, but not the owner of the tables."""
    await victim.begin()
    await victim.goes_on("before")
    login = f"plain_{victim.dsn.rsplit('_', 1)[1]}"
    await victim.execute(f"CREATE ROLE {login} LOGIN", f"GRANT earning, projector TO {login}")
    try:
        said = await victim.tallystick("rebuild", POSTGRES_DSN=victim.dsn.replace("postgres@", f"{login}@"))
    finally:
        await victim.execute(f"DROP ROLE {login}")
    if said.code == 0:
        return "it works"
    if "owner" not in said.text and "role" not in said.text:
        raise PromiseBrokenError(f"it ends with {said.code}, and its words lead to no cure: {said.text.strip()[-200:]}")
    return f"it ends with {said.code} and says which role is missing"


# --- survived, and to stay so ---


@attack("B1", "every input has one of four outcomes")
async def hostile_envelopes(victim: Installation) -> str:
    """All poison that chaos knows, and facts at the edges of text, numbers and times."""
    await victim.begin()
    good = value_of(order("ana", "edge"))
    edges = [
        good.replace(b'"10.00"', number)
        for number in (b'"1e3"', b'"\xd9\xa1"', b'"-0"', b'" 1"', b'"1_0"', b'"NaN"', b"1e999999", b"9" * 5_000)
    ] + [
        good.replace(b'"ana"', text)
        for text in (b'"\\u202eana"', b'"a\\u0000"', b'"\\ud800"', b'"\xc0\x80"', b'"%2e/../x"', b'"\\u001b]0;x"')
    ]  # fmt: skip
    records = [Outgoing(b"corner-shop/ana", value) for value in (*poison.SAMPLES, *edges)]
    headers = [("ce_id", b"\xff"), ("ce_", None), *[("x", b"y")] * 2_000]
    records.append(Outgoing(b"corner-shop/ana", good, headers))
    await victim.put(victim.topics.orders, 2, *records)
    await victim.decided(len(records))
    await victim.survives_a_restart()
    status = await victim.status()
    if not status["adds_up"]:
        raise PromiseBrokenError("the counts don't add up")
    await victim.verified()
    return f"{len(records)} inputs, {len(await victim.letters())} of them dead letters"


@attack("B8", "no chain or circle of claims loses a point or stops")
async def chains_of_claims(victim: Installation) -> str:
    """A chain of 200 claims and a circle of 200, in any order at once; one order of 10 points in each."""
    await victim.begin()
    await victim.send([order("chain-0", "c-1"), order("circle-0", "c-2")])
    claims = [claimed(f"chain-{one + 1}", f"chain-{one}") for one in range(200)]
    claims += [claimed(f"circle-{(one + 1) % 200}", f"circle-{one}") for one in range(200)]
    await victim.send(claims, victim.topics.commands)
    await victim.decided(402)
    await victim.comes("SELECT sum(available) = 20 FROM loyalty.balances", what="both orders' points are somewhere")
    await victim.goes_on("behind them")
    await victim.verified()
    return "20 points before and after"


@attack("B10", "orders and programs of the greatest size are decided within seconds")
async def greatest_order_and_program(victim: Installation) -> str:
    """An order of 1,000 lines under 200 rules and 200 campaigns."""
    rules = "".join(f"  - {{id: r{one}, rate: 1, only: {{skus: [s{one}]}}}}\n" for one in range(199))
    campaigns = "".join(f"  - {{id: c{one}, multiplier: 1.01, only: {{skus: [s{one}]}}}}\n" for one in range(200))
    await victim.begin(f"{MINIMAL}{rules}campaigns:\n{campaigns}")
    began = time.monotonic()
    lines = [line(one + 1, "10.00") | {"sku": f"s{one % 200}"} for one in range(1_000)]
    told = order("ana", "greatest")
    await victim.send([told | {"data": told["data"] | {"lines": lines}}])
    await victim.comes(
        "SELECT available > 0 FROM loyalty.balances WHERE member = 'ana'", what="it is visible", within=5
    )
    return f"visible after {time.monotonic() - began:.1f} s"


@attack("B12", "a program's document is checked within seconds, whatever it says", quick=False)
async def hostile_documents(victim: Installation) -> str:
    """YAML that doubles itself, nests deeply, refers to itself; expressions that never end."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    rule = "{{id: r, rate: 1, when: {{expression: '{0}'}}}}"
    expressions = (
        "[1,2].all(a, [1,2].all(b, [1,2].all(c, true)))",
        "1" * 900,
        "(" * 400 + ")" * 400,
        "time.hour < 1 / 0",
    )
    documents = [
        bomb, "[" * 5_000, "{" * 5_000, "a: &a\n  b: *a\n", "!!python/object/apply:os.system ['true']", "\0",
        *(MINIMAL.replace("rules:\n", f"rules:\n  - {rule.format(one)}\n") for one in expressions),
    ]  # fmt: skip
    for number, document in enumerate(documents):
        file = victim.directory / f"{number}.yaml"
        file.write_text(document, "utf-8")
        await victim.tallystick("program", "check", str(file), within=20)
    return f"{len(documents)} documents, each answered in words"


@attack("P3", "what a database's owner sets by default changes no result")
async def foreign_defaults(victim: Installation) -> str:
    """Isolation, time zone, dates, bytea and search path set otherwise for the whole database; every session ended."""
    await victim.begin(start=False)
    database = victim.dsn.rsplit("/", 1)[1]
    for setting in (
        "default_transaction_isolation = 'serializable'", "timezone = 'Pacific/Kiritimati'", "datestyle = 'German'",
        "bytea_output = 'escape'", "intervalstyle = 'sql_standard'", "search_path = 'nowhere'",
    ):  # fmt: skip
        await victim.execute(f"ALTER DATABASE {database} SET {setting}")
    await victim.start()
    await victim.send(order(f"m-{one % 50}", f"o-{one}") for one in range(500))
    await victim.decided(500)
    await victim.comes("SELECT sum(available) = 5000 FROM loyalty.balances", what="5,000 points are visible")
    await victim.verified()
    return "500 orders, 5,000 points"


@attack("P4", "sessions that are cancelled and a database that is read-only for a while cost time only")
async def cancelled_sessions(victim: Installation) -> str:
    """500 orders while every session's query is cancelled again and again, half of the time read-only."""
    await victim.begin()
    database = victim.dsn.rsplit("/", 1)[1]
    cancel = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()"
    )
    await victim.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    for start in range(0, 500, 50):
        await victim.send(order(f"m-{one % 50}", f"o-{one}") for one in range(start, start + 50))
        await victim.execute(cancel)
        if start == 250:
            await victim.execute(
                f"BEGIN READ WRITE; ALTER DATABASE {database} RESET default_transaction_read_only; COMMIT"
            )
    await victim.decided(500)
    await victim.comes("SELECT sum(available) = 5000 FROM loyalty.balances", what="5,000 points are visible")
    await victim.verified()
    return "500 orders, 5,000 points"


@attack("B9", "a member's standing doesn't grow with whom they bring")
async def many_referrals(victim: Installation) -> str:
    """300 referrals of one referrer, each completed by an order."""
    await victim.begin(MINIMAL + "referrals: {referrer: 5, referee: 1}\n")
    joined = [
        fact("commerce.referral.joined.v1", f"referee-{one}", {"referral_id": f"f-{one}", "referrer_id": "star"})
        for one in range(300)
    ]
    await victim.send(joined, victim.topics.referrals)
    await victim.decided(300)
    await victim.send(order(f"referee-{one}", f"o-{one}") for one in range(300))
    await victim.decided(600)
    [(size,)] = await victim.rows("SELECT coalesce(max(length(body)), 0) FROM earning.standings")
    if int(str(size)) > 1_000:
        raise PromiseBrokenError(f"a standing has {size} bytes")
    await victim.verified()
    return f"the greatest standing has {size} bytes"
