from __future__ import annotations

import pytest

from zumolib.errors import InputError
from zumolib.widgets.fields import Unfilled
from zumolib.widgets.picker import Picker

NAMES = ("ats.tasks.purge", "ats.tasks.send", "hr.tasks.send", "send")


def shown(picker: Picker) -> list[str]:
    return [name for _, name in picker.control.options]


def test_nothing_is_taken_until_somebody_types() -> None:
    picker = Picker("task", "Task", NAMES, noun="task")
    assert shown(picker) == list(NAMES)
    with pytest.raises(Unfilled, match="Pick a task"):
        picker.value()


def test_typing_filters_by_words_and_takes_the_first() -> None:
    picker = Picker("task", "Task", NAMES)
    picker._filter.value = "SEND ats"
    assert shown(picker) == ["ats.tasks.send"]
    assert picker.value() == "ats.tasks.send"


def test_a_name_in_full_comes_before_longer_ones() -> None:
    assert Picker("task", "Task", NAMES, value="send").value() == "send"


def test_what_was_taken_stays_while_it_matches() -> None:
    picker = Picker("task", "Task", NAMES, value="send")
    picker.control.value = "hr.tasks.send"
    picker._filter.value = "tasks"
    assert picker.value() == "hr.tasks.send"
    picker._filter.value = "ats"
    assert picker.value() == "ats.tasks.purge"


def test_what_matches_nothing_is_wrong() -> None:
    with pytest.raises(InputError, match="no task contains 'nosuch'; type less of it"):
        Picker("task", "Task", NAMES, value="nosuch", noun="task").value()


def test_several_can_be_taken() -> None:
    picker = Picker("task", "Task", NAMES, several=True)
    picker.control.value = ("send", "ats.tasks.send")
    assert picker.value() == ("send", "ats.tasks.send")


def test_of_what_is_listed_it_says_how_many_are_taken() -> None:
    picker = Picker("task", "Task", NAMES, several=True)
    picker._filter.value = "tasks"
    assert "3 of 4, 1 taken" in picker._count.value
    picker.control.value = ("ats.tasks.send", "hr.tasks.send")
    assert "3 of 4, 2 taken" in picker._count.value
    picker._filter.value = "hr"  # what is not listed any more is not taken
    assert "1 of 4, 1 taken" in picker._count.value
    assert picker.value() == ("hr.tasks.send",)


def test_a_change_is_told_once() -> None:
    told: list[str] = []
    picker = Picker("task", "Task", NAMES)
    picker.on_change(lambda field: told.append(field.name))
    picker._filter.value = "send"
    assert told == ["task"]
