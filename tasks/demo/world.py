"""What the makers of demo data share: the moment, the size, the dice, and what was made so far."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import Model

from tasks.models import Candidate, Category, Employee, Job, Service, Skill, Subscription, Tenant, User

Dice = random.Random
Row = TypeVar("Row", bound=Model)
Owner = TypeVar("Owner")
SKEW = 1.1  # exponent of the sizes of tenants: the first is as large as the next few together
ROWS = 1000  # of one INSERT


@dataclass
class World:
    """The data set that is being made."""

    seed: int
    scale: float
    now: datetime
    tenants: list[Tenant] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    categories: dict[str, Category] = field(default_factory=dict)
    skills: list[Skill] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    _teams: list[list[User]] = field(default_factory=list)
    _team_sizes: list[int] = field(default_factory=list)  # running sums

    @property
    def key(self) -> str:
        """What tells this data set from another."""
        return f"seed {self.seed}, scale {self.scale:g}"

    def dice(self, domain: str) -> Dice:
        """Dice of one domain, so that a change in one leaves the others as they were."""
        return random.Random(f"{self.key}: {domain}")

    def many(self, at_scale_1: int) -> int:
        """A number of rows at this scale."""
        return max(1, round(at_scale_1 * self.scale))

    def ago(self, dice: Dice, least: float, most: float) -> datetime:
        """A moment `least` to `most` days ago."""
        return self.now - timedelta(days=dice.uniform(least, most))

    def recently(self, dice: Dice, mean: float) -> datetime:
        """A moment in the past, `mean` days ago on average, in office hours mostly."""
        at = self.now - timedelta(days=min(dice.expovariate(1 / mean), 400))
        if dice.random() < 0.85 and not 7 <= at.hour < 20:
            at -= timedelta(hours=12)
        return at

    @staticmethod
    def pick(dice: Dice, weighted: Sequence[tuple[str, int]]) -> str:
        """One of the names, by weight."""
        return dice.choices([name for name, _ in weighted], [weight for _, weight in weighted])[0]

    def shares(self, owners: Sequence[Owner], total: int, least: int = 0) -> list[tuple[Owner, int]]:
        """`total` at this scale, split among the owners: a few get much, most get little."""
        weights = [1 / (rank + 1) ** SKEW for rank in range(len(owners))]
        whole, parts = self.many(total), sum(weights)
        return [
            (owner, max(least, round(whole * weight / parts)))
            for owner, weight in zip(owners, weights, strict=True)
        ]

    def team(self, dice: Dice) -> list[User]:
        """Two users of one tenant."""
        if not self._teams:
            self._teams = [users for users in self.by_tenant(self.users).values() if len(users) > 1]
            self._team_sizes = list(accumulate(len(users) for users in self._teams))
        users = dice.choices(self._teams, cum_weights=self._team_sizes)[0]
        return dice.sample(users, 2)

    @staticmethod
    def by_tenant(rows: Sequence[Any]) -> dict[int, list[Any]]:
        """Rows by the tenant that they belong to."""
        table: dict[int, list[Any]] = defaultdict(list)
        for row in rows:
            table[row.tenant_id].append(row)
        return dict(table)

    @classmethod
    def save_in_order(cls, rows: Sequence[Row], moment: str = "at") -> list[Row]:
        """Insert rows of a table that only grows at its end, so that old rows lie together as they would."""
        return cls.save(sorted(rows, key=attrgetter(moment)))

    @staticmethod
    def save(rows: Sequence[Row]) -> list[Row]:
        """Insert rows of one table; they know their keys afterwards."""
        return type(rows[0])._base_manager.bulk_create(rows, batch_size=ROWS) if rows else []
