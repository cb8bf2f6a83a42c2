"""Typed names are literal but for their wildcards."""

from __future__ import annotations

import pytest

from zumolib import parsing

#   name             typed          is it     is it within
NAMES = [
    ("job[1]", "job[1]", True, True),
    ("job1", "job[1]", False, False),
    ("orders[eu]", "orders[*]", True, True),
    ("orderse", "orders[eu]", False, False),
    ("job [v2]", "[v2]", False, True),
    ("a.b", "a?b", True, True),
    ("a.b", "a.*", True, True),
    ("axb", "a.b", False, False),
    ("x^$()+|\\{}", "x^$()+|\\{}", True, True),
    ("two\nlines", "two*", True, True),
    ("", "*", True, True),
    (None, "*", False, False),
]


@pytest.mark.parametrize(("name", "typed", "fits", "contains"), NAMES)
def test_a_typed_name(name: object, typed: str, fits: bool, contains: bool) -> None:
    assert parsing.fits(name, typed) is fits
    assert parsing.contains(name, typed) is contains
