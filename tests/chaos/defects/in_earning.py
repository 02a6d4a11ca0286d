"""Defects of how facts come in, are kept and go out: `earning` without `decide`."""

from tests.chaos.defects.planting import Change, Defect

EARN = "services.earning.intake.earn"
TESTS = "tests/integration/earning"
OF_EARN = f"{TESTS}/intake/test_earn.py"
OF_LANES = f"{TESTS}/intake/test_lane.py"
OF_THE_RELAY = f"{TESTS}/relay/test_emit.py"

DEFECTS = (
    Defect(
        "another-partition-count-accepted",
        "S is fixed for an installation's life",
        (OF_LANES,),
        Change("services.earning.installation:open_for_work", "if wrong: ...", "if wrong and shards < 0: ..."),
    ),
    Defect(
        "batch-beyond-fence-accepted",
        "a failed batch is tried again before anything newer (I3)",
        (OF_EARN,),
        Change(f"{EARN}:_new", "if behind: ...", ""),
    ),
    Defect(
        "chain-not-carried-on",
        "every event carries the hash of the one before it (I14)",
        (OF_EARN,),
        Change("services.earning.ledger.journal:Journal.append", "chain = chain_of(...)", "chain_of(...)"),
    ),
    Defect(
        "data-error-drops-the-batch",
        "one bad fact doesn't take its neighbours along (I3)",
        (OF_EARN,),
        Change(f"{EARN}:earn", "return await _fact_by_fact(...)", "return Earned({}, {}, 0), []"),
    ),
    Defect(
        "dead-letters-not-kept",
        "nothing is dropped in silence (I3)",
        (OF_EARN,),
        Change(f"{EARN}:_in_one_transaction", "await dead_letters.write(...)", ""),
    ),
    Defect(
        "facts-decided-in-order-of-partitions",
        "a member's facts are decided in the order of their receipt (architecture 13)",
        (OF_EARN,),
        Change(f"{EARN}:_in_order", "inputs.sort(key=...)", ""),
    ),
    Defect(
        "failed-batch-not-read-again",
        "a failed batch is tried again before anything newer (I3)",
        ("tests/e2e/test_kills.py::test_postgres_is_killed",),
        Change(
            "services.earning.intake.lane:Lane._settle",
            """
            self._generation = -1
            self._records_max = ...
            """,
            "self._records_max = ...",
        ),
    ),
    Defect(
        "fence-moved-back-to-last-record",
        "offsets have gaps: the fetch says where it ended (I3)",
        (OF_EARN,),
        Change(f"{EARN}:_move", "span.end", "span.start + len(span.inputs)"),
    ),
    Defect(
        "head-not-saved",
        "positions go on where the last batch ended (I7)",
        (OF_EARN,),
        Change(
            "services.earning.ledger.transaction:OpenLedger.save",
            "if self.journal.entries: ...",
            "if not self.journal.entries: ...",
        ),
    ),
    Defect(
        "hole-in-the-log-passed-over",
        "what a broker has lost is published again, though more was published behind it (I3)",
        ("tests/unit/earning/replay/test_log_end.py",),
        Change(
            "services.earning.replay.log_end:whole_to",
            """
            if known in positions:
                return _run(positions, known)
            """,
            """
            if positions:
                return max(positions)
            """,
        ),
    ),
    Defect(
        "lost-log-not-noticed",
        "what a broker has lost is published again (I3)",
        ("tests/chaos/test_lost_logs.py",),
        Change(
            "services.earning.relay.log_check:LogCheck.check_published",
            "{shard: end.position for shard, end in ends.items() if ...}",
            "{}",
        ),
    ),
    Defect(
        "positions-taken-from-the-group",
        "positions in Postgres are the truth (I3)",
        (OF_LANES,),
        Change("services.earning.intake.lane:Lane._align", "consumer.seek(...)", ""),
    ),
    Defect(
        "redelivered-records-counted-again",
        "a record below the fence is no input (I3)",
        (OF_EARN,),
        Change(f"{EARN}:_new", "[one for one in span.inputs if ...]", "list(span.inputs)"),
    ),
    Defect(
        "redemptions-overtake-orders",
        "inputs are aligned: no redemption is decided before the orders that came before it (architecture 13)",
        ("tests/unit/earning/intake/test_alignment.py",),
        Change("services.earning.intake.alignment:Alignment._until", "return min(..., default=...)", "return FOR_EVER"),
    ),
    Defect(
        "relay-out-of-order",
        "the log is in the order of positions (I14)",
        (OF_THE_RELAY,),
        Change("services/earning/sql/journal.sql:after", "ORDER BY journal.position", "ORDER BY journal.position DESC"),
    ),
    Defect(
        "relay-trusts-its-own-notes",
        "the relay goes by the log's own end",
        (OF_THE_RELAY,),
        Change(
            "services.earning.relay.log_check:LogCheck._judge",
            "return Finding(...)",
            "return Finding({one.shard: one.emitted for one in before}, {})",
        ),
    ),
    Defect(
        "standings-not-updated",
        "a decision sees all decisions before it (I2)",
        (OF_EARN,),
        Change("services.earning.ledger.save:_save_standings", "await _update(...)", ""),
    ),
    Defect(
        "sweeper-keeps-its-size",
        "a transaction that has too much to do is tried with less (I11)",
        ("tests/unit/earning/background/test_sweep.py",),
        Change("services.earning.background.sweep:Sweeper._round", "max(1, at_most // 2)", "at_most"),
    ),
    Defect(
        "swept-standings-not-saved",
        "what the sweeper has written is not written again by the next fact",
        (f"{TESTS}/background/test_sweep.py",),
        Change(
            "services.earning.background.sweep:sweep",
            "await ledger.save()",
            """
            ledger.working_set = type(ledger.working_set)(shards)
            await ledger.save()
            """,
        ),
    ),
)
