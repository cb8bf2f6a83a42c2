"""Which days of hiring have their anniversary on a day: dates to look up, so that an index serves."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable
from datetime import date

LONGEST = range(1, 81)  # years that a person may work for one employer


def hired_on(day: date, years: Iterable[int] = LONGEST) -> dict[date, int]:
    """Days of hiring whose anniversary `day` is, and how many years ago each was.

    Who was hired on 29 February celebrates on the 28th where a year has no such day.
    """
    found: dict[date, int] = {}
    for count in years:
        year = day.year - count
        if year < date.min.year or ((day.month, day.day) == (2, 29) and not isleap(year)):
            continue
        found[day.replace(year=year)] = count
        if (day.month, day.day) == (2, 28) and not isleap(day.year) and isleap(year):
            found[date(year, 2, 29)] = count
    return found


def years_between(hired: date, day: date) -> int:
    """Whole years of service on `day`."""
    return day.year - hired.year - ((day.month, day.day) < (hired.month, hired.day))
