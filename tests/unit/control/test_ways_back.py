"""Each action has a way back or says why it has none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zumolib import runbooks
from zumolib.control import Plan

assert runbooks  # loads the actions that only runbooks take


def kinds(base: type[Plan] = Plan) -> Iterator[type[Plan]]:
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if kind.__module__.startswith("zumolib.") and hasattr(kind, "action"):
            yield kind


KINDS = sorted(set(kinds()), key=lambda kind: kind.__qualname__)


def test_all_actions_are_here() -> None:
    assert {kind.action for kind in KINDS} >= {
        *(
            "recycle",
            "expire results",
            "delete results",
            "by hand",
            "start",
            "call",
            "run now",
            "retry",
            "revoke",
        ),
        *("purge", "shutdown", "pause", "resume", "reschedule", "enable", "disable", "grow", "shrink"),
        *("autoscale", "rate limit", "time limit"),
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.action)
def test_an_action_has_a_way_back_or_a_reason(kind: type[Plan]) -> None:
    has_way = kind.way_back is not Plan.way_back
    assert has_way is not bool(kind.no_way_back), "one of the two"
