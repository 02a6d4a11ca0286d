"""Steps of the machine that are no orders: reviews and activities, which fill cards, meet limits and go again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from tests.support.model.programs import KINDS, LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.facts.fact import FactData
    from tests.support.model.chance import Chance
    from tests.support.model.naive import Naive

REVIEWS_MAX = 5
ACTIVITIES_MAX = 7
PRODUCTS = ("tea", "mug")


class ActivitySteps(RuleBasedStateMachine):
    """What a machine can do with reviews and activities; it brings chance, time, a model and a way to send facts."""

    if TYPE_CHECKING:
        chance: Chance
        model: Naive

        def _wait(self) -> None: ...
        def _send(self, member: str, content: FactData) -> None: ...

    def _member_of(self, number: int) -> str:
        """Ids have one owner, but for mistakes of a shop."""
        own, other = ("bob", "ann") if number % 3 == 0 else ("ann", "bob")
        return other if self.chance.once_in(20) else own

    @rule()
    def reviews(self) -> None:
        self._wait()
        for _ in range(self.chance.number(1, 2)):
            number = self.chance.number(1, REVIEWS_MAX)
            says = self.chance.one(ReviewPublished, ReviewPublished, ReviewUpdated, None)
            removed = ReviewRemoved(review_id=f"v{number}")
            self._send(self._member_of(number), removed if says is None else self._review(says, f"v{number}"))

    def _review(self, says: type[ReviewPublished], name: str) -> ReviewPublished:
        return says(
            review_id=name,
            product_id=self.chance.one(PRODUCTS[0], *PRODUCTS),
            rating=5,
            verified=not self.chance.once_in(5),
            photos=self.chance.one(0, 0, 2),
            videos=self.chance.one(0, 0, 1),
            length=self.chance.one(20, 300, 300, 19, 0),
        )

    @rule()
    def does_something(self) -> None:
        self._wait()
        for _ in range(self.chance.number(1, 3)):
            number = self.chance.number(1, ACTIVITIES_MAX)
            kind = KINDS[number % len(KINDS)] if not self.chance.once_in(8) else self.chance.one(*KINDS, "nap")
            self._send(self._member_of(number), self._activity(f"did{number}", kind))

    def _activity(self, name: str, kind: str) -> ActivityRecorded:
        labels = self.chance.subset((*LABELS, "name"))
        return ActivityRecorded(
            activity_id=name,
            kind=kind,
            quantity=self.chance.one(1, 1, 2, 3, 4, 9, 0),
            attributes={label: self.chance.one("Ulm", "9") for label in labels},
        )

    @precondition(lambda self: any(self._known()))
    @rule()
    def takes_back(self) -> None:
        self._wait()
        if not (known := [*self._known()]):  # on its way to another member since
            return
        member, kind, name = self.chance.among(known)
        if kind == "review":
            removed = ReviewRemoved(review_id=name)
            self._send(member, removed if self.chance.once_in(2) else self._review(ReviewUpdated, name))
        else:
            done = KINDS[int(name.removeprefix("did")) % len(KINDS)]
            withdrawn = ActivityWithdrawn(activity_id=name, kind=done)
            self._send(member, self._activity(name, done) if self.chance.once_in(3) else withdrawn)

    def _known(self) -> Iterator[tuple[str, str, str]]:
        """Reviews and activities that are worth something, or were refused it."""
        for name, member in self.model.members.items():
            for key, grant in member.grants.items():
                if grant.facts and (grant.points or grant.stamps or grant.refused):
                    yield name, key[1], key[2]
