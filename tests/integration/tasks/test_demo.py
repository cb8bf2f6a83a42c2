"""The demo data is the same for the same seed, there once, and like the real thing."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import demo, ledger
from tasks.models import Tenant, User
from tests.integration.tasks.state import flush, snapshot


def test_loading_twice_adds_nothing(platform: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    made = demo.load(scale=0.1, now=platform.now, progress=lambda *step: seen.append(step))
    assert made["loaded"]
    assert min(made["rows"].values()) > 0
    assert seen[-1] == ("ready", len(seen) - 1, len(seen) - 1)
    before = snapshot(platform)
    again = demo.load(scale=0.1, now=platform.now)
    assert (again["loaded"], again["rows"]) == (False, made["rows"])
    assert snapshot(platform) == before


def test_other_sizes_come_on_top(platform: Any) -> None:
    for scale in (0.1, 0.2):
        assert demo.load(scale=scale, now=platform.now)["loaded"]
    assert Tenant.objects.count() == 12
    assert ledger.imbalance() == {}


def test_the_same_seed_gives_the_same_people(platform: Any) -> None:
    demo.load(scale=0.1, now=platform.now)
    first = list(User.objects.order_by("pk").values_list("email", "role", "created_at"))
    flush()
    demo.load(scale=0.1, now=platform.now)
    assert list(User.objects.order_by("pk").values_list("email", "role", "created_at")) == first


def test_a_load_that_breaks_leaves_nothing_in_the_database(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(world: Any) -> int:
        raise RuntimeError("broken")

    monkeypatch.setattr(demo, "STEPS", (*demo.STEPS[:5], ("broken", broken)))
    with pytest.raises(RuntimeError):
        demo.load(scale=0.1, now=platform.now)
    assert not Tenant.objects.exists()


@pytest.mark.parametrize("scale", [0, -1, 5000])
def test_scales_that_are_not_there_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"must be 0\.1 to 1000"):
        demo.load(scale=scale)
