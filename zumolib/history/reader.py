"""Whoever asks a history: sees one instant of it, and asks again where a file goes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import duckdb

from zumolib.errors import HistoryError
from zumolib.history import doubts, queries, view
from zumolib.history.fold import whole
from zumolib.history.place import Place
from zumolib.history.view import View

Answer = TypeVar("Answer")

ATTEMPTS = 5


class Reader:
    """Asks one place, and remembers what it found damaged."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.doubted: set[str] = set()  # files that could not be read; left out from then on

    def ask(self, question: Callable[[View], Answer]) -> Answer:
        """Answer, again if a file went or turned out to be damaged while it was read.

        Raises
        ------
        HistoryError
            The history cannot be read.
        """
        missing: set[str] = set()
        for _ in range(ATTEMPTS):
            names: list[str] = []
            try:
                with queries.connect() as connection:
                    look = View(self.place, connection, frozenset(self.doubted))
                    names = look.names()
                    return question(look)
            except (duckdb.Error, FileNotFoundError) as error:
                failure = error
                queries.forget()
                view.forget()
                doubted, gone = self._look_into(names)
                # A file that went between the listing and the reading is not listed the next time.
                self.doubted |= doubted | (gone & missing)
                missing |= gone
                doubts.note(self.place.root, self.doubted)
                if not doubted and not gone and not isinstance(error, duckdb.IOException):
                    raise
        raise HistoryError(f"{self.place.url} cannot be read: {failure}") from failure

    def _look_into(self, names: list[str]) -> tuple[set[str], set[str]]:
        """Which of these files cannot be read, and which are not there."""
        doubted, gone = set(), set()
        for name in names:
            try:
                if not whole(self.place.path(name)):
                    doubted.add(name)
            except FileNotFoundError:
                gone.add(name)
        return doubted, gone
