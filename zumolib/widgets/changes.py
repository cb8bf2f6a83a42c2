"""How what is there now differs from what a preview shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from zumolib.figures.words import counted
from zumolib.widgets import markup

# Columns that differ at every look, or name the message that is about to be sent: none of them is a change.
PASSING = frozenset({"id", "new_id", "eta", "expires", "since", "age", "pid"})
SINCE = "since_the_preview"
LEFT, CAME, LEFT_OUT = "left the list", "came", "came, not included"


@dataclass(frozen=True)
class Changes:
    """Rows that left, came, or say something else since a preview was made.

    Its table has the column :data:`SINCE` first: what became of the row.
    """

    left: int
    came: int
    turned: int  # the same thing with other facts, as a task that has begun to run
    table: pd.DataFrame

    @classmethod
    def between(
        cls, before: pd.DataFrame, now: pd.DataFrame, *, key: str = "", ignored: Sequence[str] = (),
        left_out: pd.DataFrame | None = None,
    ) -> Changes:  # fmt: skip
        """Hold two previews of the same action against each other.

        Parameters
        ----------
        key
            Column by which a row is known again; by default the first that stays the same from look to look.
        ignored
            Columns of no interest, besides :data:`PASSING`.
        left_out
            Rows that came and that the action does not take along; by default it takes what came.
        """
        facts = [str(c) for c in before if c in now and c not in PASSING and c not in ignored]
        name = key or (facts[0] if facts else "")
        if not name:
            return cls(0, 0, 0, pd.DataFrame(columns=[SINCE]))
        facts = [fact for fact in facts if fact != name]
        was, new = _by(before, name), _by(now, name)
        gone = [row for row in was.index if row not in new.index]
        fresh = [row for row in new.index if row not in was.index]
        old, latest = _texts(was, facts), _texts(new, facts)
        differing = {row: _words(old[row], latest[row]) for row in was.index if row in new.index}
        turned = {row: words for row, words in differing.items() if words}
        outside = left_out if left_out is not None else now.iloc[:0]
        parts = [
            _said(was.loc[gone], LEFT), _said(new.loc[fresh], CAME), _said(outside, LEFT_OUT),
            _said(new.loc[list(turned)], list(turned.values())),
        ]  # fmt: skip
        # What can be said of all of them; what the table of those that came has besides tells them apart no better.
        columns = [SINCE, name, *(fact for fact in facts if fact in outside)]
        listed = [part[columns] for part in parts if not part.empty]
        table = pd.concat(listed, ignore_index=True) if listed else pd.DataFrame(columns=columns)
        return cls(len(gone), len(fresh) + len(outside), len(turned), table)

    def __bool__(self) -> bool:
        return bool(self.left or self.came or self.turned)

    def text(self, noun: str, *, included: bool) -> str:
        """What is different now, as one sentence without its end.

        Parameters
        ----------
        included
            What came is part of what is shown now.
        """
        left = f"{counted(self.left, noun)} left the list" if self.left else ""
        came = f"{counted(self.came, noun)} came" if self.came else ""
        if came and not included:
            came += f", which {'is' if self.came == 1 else 'are'} not included"
        turned = f"{counted(self.turned, noun)} changed" if self.turned else ""
        *others, last = [part for part in (left, turned, came) if part] or [""]
        return f"{', '.join(others)} and {last}" if others else last


def _by(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    kept = frame.drop_duplicates(key)
    return kept.set_index(kept[key].astype(str).rename("row"))


def _texts(frame: pd.DataFrame, facts: Sequence[str]) -> dict[str, dict[str, str]]:
    """The facts of each row as people read them."""
    columns = {fact.replace("_", " "): [markup.said(value, fact) for value in frame[fact]] for fact in facts}
    return {row: {name: column[n] for name, column in columns.items()} for n, row in enumerate(frame.index)}


def _words(was: dict[str, str], now: dict[str, str]) -> str:
    """Each fact that is not what it was; empty where all are."""
    return "; ".join(f"{name}: {was[name]} → {text}" for name, text in now.items() if text != was[name])


def _said(frame: pd.DataFrame, became: str | Sequence[str]) -> pd.DataFrame:
    made = frame.reset_index(drop=True)
    made.insert(0, SINCE, pd.Series(became, index=made.index, dtype="str"))
    return made
