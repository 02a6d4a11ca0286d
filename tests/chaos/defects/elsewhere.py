"""Defects of the readers, and of what both services share."""

from tests.chaos.defects.planting import Change, Defect

POSITIONS = "services.projections.positions"
OF_POSITIONS = "tests/unit/projections/test_positions.py"
OF_FOLLOWING = "tests/integration/projections/test_following.py"

DEFECTS = (
    Defect(
        "balance-before-the-event",
        "a balance is that after its latest event (I4)",
        ("tests/unit/projections/test_fold.py",),
        Change(
            "services.projections.models.members.fold:fold_member",
            "row.sequence, row.booked_at, row.balances = data.sequence, data.decided_at, data.balances",
            "row.sequence, row.booked_at = data.sequence, data.decided_at",
        ),
    ),
    Defect(
        "broken-text-not-expected",
        "a point event that can't be read stops its partition with a reason (I11)",
        ("tests/unit/projections/test_any_record.py",),
        Change("shared.codec:UNREADABLE", "(...,)", "(msgspec.MsgspecError,)"),
    ),
    Defect(
        "consumer-chooses-its-position",
        "nothing is skipped behind our back (I3)",
        ("tests/unit/shared/test_broker.py",),
        Change("shared.broker:CONSUMER_SETTINGS", "'none'", "'latest'"),
    ),
    Defect(
        "dead-client-kept",
        "a client that has died in silence is replaced (I11)",
        ("tests/integration/earning/test_dead_clients.py",),
        Change("shared.consumer_watch:Watchdog.look", "self._inside.ended()", "()"),
    ),
    Defect(
        "dead-letters-by-the-workers-clock",
        "a worker whose clock is wrong may still set records aside (I3)",
        ("tests/unit/deploy/test_topics.py",),
        Change("deploy.topics:planned", "dead | by_broker", "dead"),
    ),
    Defect(
        "fence-moved-without-its-rows",
        "position and rows move together (I4)",
        (OF_POSITIONS, OF_FOLLOWING),
        Change("services.projections.project:_write", "await store.move_fences(...)", ""),
    ),
    Defect(
        "foreign-records-forgotten",
        "nothing is dropped in silence (I3)",
        (OF_FOLLOWING,),
        Change("services.projections.project:project", "await dead_letters.add(...)", ""),
    ),
    Defect(
        "fork-not-noticed",
        "a second history stops its partition (I14)",
        (OF_POSITIONS, OF_FOLLOWING),
        Change(
            f"{POSITIONS}:_stop",
            "record.event.data.chain != last.hex()",
            "record.event.data.chain != last.hex() and position < 0",
        ),
    ),
    Defect(
        "gap-waited-for-where-it-is-not",
        "readers go back to a position that lies before (I11)",
        (OF_FOLLOWING,),
        Change("services.projections.consume:Lane._note", "await self._go_back_for(...)", ""),
    ),
    Defect(
        "known-events-folded-again",
        "an event counts once (I4)",
        (OF_POSITIONS,),
        Change(f"{POSITIONS}:follow", "if record.position <= position: ...", ""),
    ),
    Defect(
        "members-of-another-shard",
        "shard = Kafka's default partitioner",
        ("tests/unit/shared/test_shards.py",),
        Change("shared.shards:shard_of", "0x7FFFFFFF", "0xFFFFFFFF"),
    ),
    Defect(
        "missing-position-passed-over",
        "readers never go forward past a gap (I4)",
        (OF_POSITIONS,),
        Change(f"{POSITIONS}:follow", "if record.position > position + 1: ...", ""),
    ),
    Defect(
        "offset-taken-for-truth",
        "the position is the truth, an offset a hint",
        (OF_FOLLOWING,),
        Change(
            "services.projections.consume:Lane._read_again",
            "self._consumer.seek_to_beginning",
            "self._consumer.seek_to_end",
        ),
    ),
    Defect(
        "paused-worker-keeps-its-locks",
        "a paused process frees its locks within seconds",
        ("tests/unit/shared/test_postgres.py",),
        Change("shared.postgres:SESSION_SETTINGS", "'3000'", "'0'"),
    ),
    Defect(
        "standstill-taken-for-work",
        "a client that hangs is replaced (I11)",
        ("tests/unit/shared/test_consumer_watch.py",),
        Change("shared.consumer_watch:Watchdog._count", "now - self._since[what] >= at_most", "at_most < 0"),
    ),
    Defect(
        "unreadable-event-skipped",
        "what can't be read stops its partition",
        (OF_POSITIONS, OF_FOLLOWING),
        Change(f"{POSITIONS}:_stop", "return record.error", "return None"),
    ),
)
