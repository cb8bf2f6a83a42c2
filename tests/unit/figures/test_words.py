"""Numbers as people say them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zumolib.figures import words

# seconds  | said
# 0.0123   | 12 ms
# 200      | 3 min 20 s
# 90,000   | 1 d 1 h
DURATIONS = [
    (0, "0 s"),
    (0.0004, "0 s"),
    (0.0123, "12 ms"),
    (0.128, "130 ms"),
    (0.9994, "1000 ms"),
    (0.9996, "1.0 s"),
    (1.23, "1.2 s"),
    (9.96, "10 s"),
    (59.4, "59 s"),
    (59.6, "1 min"),
    (75, "1 min 15 s"),
    (200, "3 min 20 s"),
    (3_599.7, "1 h"),
    (3_660, "1 h 1 min"),
    (86_399, "1 d"),
    (90_000, "1 d 1 h"),
    (-4, "−4.0 s"),
    (math.nan, "–"),
]


@pytest.mark.parametrize(("seconds", "said"), DURATIONS)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@given(st.floats(0, 1e7))
def test_no_duration_is_off_by_more_than_a_tenth(seconds: float) -> None:
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3_600, "d": 86_400}
    said = words.duration(seconds).split()
    value = sum(float(n) * units[u] for n, u in zip(said[::2], said[1::2], strict=True))
    assert value == pytest.approx(seconds, rel=0.06, abs=0.0005)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.0004, "0.04 %"),
        (0.0312, "3.1 %"),
        (0.124, "12 %"),
        (0.995, "99.5 %"),
        (0.99996, "99.996 %"),
    ],
)
def test_shares_keep_small_failures_visible(share: float, said: str) -> None:
    assert words.share(share) == said


def test_counts_have_separators_and_nouns() -> None:
    assert words.number(12345) == "12,345"
    assert words.counted(0, "message") == "no messages"
    assert words.counted(1, "entry", "entries") == "1 entry"
    assert words.counted(1200, "entry", "entries") == "1,200 entries"


def test_lists_and_long_names() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.short("x" * 50, 10) == "…" + "x" * 9
