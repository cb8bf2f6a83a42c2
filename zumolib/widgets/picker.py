"""A long list from which typing filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from zumolib.errors import InputError
from zumolib.widgets.fields import Field, Unfilled
from zumolib.widgets.markup import element, plain
from zumolib.widgets.style import classed

ROWS = 7


class Picker(Field):
    """One, or several, of a long list. Typing filters it by words in any order; the first match is taken.

    Parameters
    ----------
    options
        The names; what was typed last stays when they change.
    value
        Taken at the beginning; else nothing is taken until somebody types or clicks.
    """

    def __init__(
        self, name: str, label: str, options: Sequence[str] = (), *, value: str = "", several: bool = False,
        noun: str = "name", hint: str = "",
    ) -> None:  # fmt: skip
        self._noun, self._several, self._quiet = noun, several, False
        self._names: tuple[str, ...] = ()
        self._filter = classed(
            w.Text(value=value, placeholder=f"type to filter, as in two words of the {noun}"), "filter"
        )
        self._filter.description = label
        control = (w.SelectMultiple if several else w.Select)(options=[], rows=ROWS)
        super().__init__(name, label, control, hint=hint, wide=True)
        control.description = ""
        self._filter.observe(lambda _: self._show(), "value")
        self.control.observe(lambda _: None if self._quiet else self._tell(), "value")
        self.choose(options)

    def _parts(self) -> list[w.Widget]:
        self._count = w.HTML()
        return [self._filter, self._count, self.control, self._note]

    def choose(self, names: Sequence[str]) -> None:
        """Offer other names."""
        self._names = tuple(names)
        self._show()

    def value(self) -> str | tuple[str, ...]:
        """The name, or the names, taken.

        Raises
        ------
        InputError
            When nothing is, or nothing matches what was typed.
        """
        taken = self.control.value
        if not taken:
            typed = self._filter.value.strip()
            if typed and self._names:
                raise InputError(f"no {self._noun} contains {plain(typed, 60)!r}; type less of it")
            raise Unfilled(f"Pick a {self._noun}." if self._names else f"There is no {self._noun} to pick.")
        return tuple(taken) if self._several else str(taken)

    def on_change(self, call: Callable[[Field], None]) -> None:
        """Call it when another name is taken, or something is typed."""
        self.control.observe(lambda _: None if self._quiet else call(self), "value")
        self._filter.observe(lambda _: call(self), "value")

    def _show(self) -> None:
        words = self._filter.value.lower().split()
        found = [name for name in self._names if all(word in name.lower() for word in words)]
        # A name that was typed in full comes first.
        found.sort(key=lambda name: name != self._filter.value.strip())
        before = self.control.value
        options = [(plain(name, 200), name) for name in found]
        if self._several:
            kept = tuple(name for name in before or () if name in found)
            wanted: Any = kept or ((found[0],) if words and found else ())
        else:
            wanted = before if before in found else found[0] if words and found else None
        self._quiet = True  # the list takes its first name by itself, for a moment
        try:
            self.control.rows = min(max(len(found), 2), ROWS)
            self.control.options = options
            self.control.value = wanted
        finally:
            self._quiet = False
        self._tell()

    def _tell(self) -> None:
        """How many are listed, and where several can be taken, how many of these are: only they are acted on."""
        told = f"{len(self.control.options):,} of {len(self._names):,}"
        if self._several:
            told += f", {len(self.control.value):,} taken"
        self._count.value = element("count", told)
