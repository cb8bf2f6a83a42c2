"""The fields of a form: an input, its label, and beside it a hint or what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w

from zumolib.errors import InputError
from zumolib.widgets.markup import element
from zumolib.widgets.style import classed

Read = Callable[[Any], Any]
NONE = "\0none"


class Unfilled(InputError):
    """Nothing was picked or entered yet, which is no mistake."""


class Empty(Unfilled):
    """There is nothing to act on, which the panel's table says already."""


class Field:
    """One input of a form.

    Parameters
    ----------
    name
        Under which its value is handed on, and by which an error finds it (``count=0: pass …``).
    control
        The input itself.
    read
        Makes the value of what was entered; raises :class:`InputError` where it cannot.
    """

    def __init__(
        self,
        name: str,
        label: str,
        control: Any,
        *,
        read: Read | None = None,
        hint: str = "",
        wide: bool = False,
    ) -> None:
        self.name, self.label, self.control, self.hint = name, label, control, hint
        self._read = read or _same
        self._note = w.HTML()
        control.description = label
        classed(control, "input")
        self.box = classed(w.VBox(self._parts()), "field", f"field-{name}", *(["wide"] if wide else []))
        self.clear()

    def _parts(self) -> list[w.Widget]:
        return [self.control, self._note]

    def value(self) -> Any:
        """What was entered.

        Raises
        ------
        InputError
            With what is expected.
        """
        return self._read(self.control.value)

    def on_change(self, call: Callable[[Field], None]) -> None:
        """Call it with this field whenever its value has changed."""
        self.control.observe(lambda _: call(self), "value")

    def mark(self, problem: str) -> None:
        """Say beside the field what is wrong with it."""
        classed(self.box, "wrong")
        self._note.value = element("problem", f"⚠ {problem}")

    def clear(self) -> None:
        """Say the hint again."""
        self.box.remove_class("zumo-wrong")
        self._note.value = element("hint", self.hint) if self.hint else ""

    @property
    def wrong(self) -> bool:
        """Whether it is marked."""
        return "zumo-wrong" in self.box._dom_classes


def text(
    name: str, label: str, *, value: str = "", placeholder: str = "", read: Read | None = None,
    hint: str = "", wide: bool = False,
) -> Field:  # fmt: skip
    """A line of text."""
    control = w.Text(value=value, placeholder=placeholder, continuous_update=True)
    return Field(name, label, control, read=read or str.strip, hint=hint, wide=wide)


def area(
    name: str, label: str, *, value: str = "", placeholder: str = "", read: Read | None = None, hint: str = ""
) -> Field:
    """Several lines of text."""
    control = w.Textarea(value=value, placeholder=placeholder, rows=4)
    return Field(name, label, control, read=read or str.strip, hint=hint, wide=True)


def choice(
    name: str, label: str, options: Sequence[Any] | Mapping[str, Any], value: Any = None, *, hint: str = ""
) -> Field:
    """One of a few."""
    pairs = list(options.items()) if isinstance(options, Mapping) else [(str(o), o) for o in options]
    # The input takes no None: it would show nothing.
    listed = [(label, NONE if known is None else known) for label, known in pairs]
    first = value if value is not None and any(known == value for _, known in listed) else listed[0][1]
    return Field(name, label, w.Dropdown(options=listed, value=first), read=_unlisted, hint=hint)


def toggle(name: str, label: str, options: Mapping[str, Any], value: Any, *, hint: str = "") -> Field:
    """One of two or three that exclude each other, all to be seen."""
    control = w.ToggleButtons(options=list(options.items()), value=value)
    field = Field(name, label, control, hint=hint)
    classed(field.box, "toggle")
    return field


def switch(name: str, label: str, *, value: bool = False, hint: str = "") -> Field:
    """Yes or no."""
    field = Field(name, label, w.Checkbox(value=value, indent=False), hint=hint)
    classed(field.box, "switch")
    return field


class Form:
    """Fields that are read together."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.missing = ""  # what is not filled in yet
        self._call: Callable[[Field], None] = lambda _field: None
        self.box = classed(w.Box([field.box for field in fields]), "form")
        for field in fields:
            field.on_change(self._changed)

    def __getitem__(self, name: str) -> Field:
        return self.fields[name]

    def on_change(self, call: Callable[[Field], None]) -> None:
        """Call it with the field that has changed."""
        self._call = call

    def show(self, *names: str) -> None:
        """Show these fields only; the values of the others are left out."""
        for name, field in self.fields.items():
            field.box.layout.display = None if name in names else "none"

    def replace(self, old: Sequence[str], new: Sequence[Field], before: str) -> None:
        """Take fields out of the form, and put others in before a certain one."""
        for name in old:
            del self.fields[name]
        ordered: dict[str, Field] = {}
        for name, field in self.fields.items():
            if name == before:
                ordered |= {field.name: field for field in new}
            ordered[name] = field
        self.fields = ordered
        self.box.children = tuple(field.box for field in ordered.values())
        for field in new:
            field.on_change(self._changed)

    def read(self) -> dict[str, Any] | None:
        """The values of the fields that are shown.

        None where one is wrong, which is marked then, or not filled in: :attr:`missing` says which.
        """
        values: dict[str, Any] = {}
        right, self.missing = True, ""
        for name, field in self.fields.items():
            if field.box.layout.display == "none":
                continue
            try:
                values[name] = field.value()
            except Unfilled as unfilled:
                field.clear()
                right, self.missing = False, self.missing or str(unfilled)
            except InputError as error:
                field.mark(str(error))
                right = False
            else:
                field.clear()
        return values if right else None

    def blame(self, error: InputError, hints: Mapping[str, str]) -> bool:
        """Mark the field that an error is about; False where that cannot be told.

        A message begins with the name of what is wrong (``count=0: …``), or `hints` has a pattern that
        is found in it, with the field's name.
        """
        message = str(error)
        first = re.match(r"(\w+)=", message)
        candidates = [first[1]] if first else []
        candidates += [name for pattern, name in hints.items() if re.search(pattern, message)]
        for name in candidates:
            field = self.fields.get(name)
            if field is not None and field.box.layout.display != "none":
                field.mark(message)
                return True
        return False

    def _changed(self, field: Field) -> None:
        self._call(field)


def _unlisted(value: Any) -> Any:
    return None if value == NONE else value


def _same(value: Any) -> Any:
    return value
