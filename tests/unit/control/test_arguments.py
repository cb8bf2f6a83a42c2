"""What is shown of a task's arguments, in whatever form they come."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from zumolib.inspection import fleet


class Key:
    def __repr__(self) -> str:
        return "Key(password=hunter2)"


@pytest.fixture(scope="module")
def app() -> Celery:
    made = Celery("some", set_as_current=False)

    @made.task(name="arguments.login", shared=False)
    def login(user: str, password: str, n: int = 0) -> None: ...

    made.finalize()
    return made


# args, kwargs, what is shown
SHOWN: list[tuple[Any, Any, str]] = [
    (["ann", "hunter2"], {"n": 1}, "'ann', '***', n=1"),
    ("('ann', 'hunter2')", "{'n': 1}", "('ann', '***') {'n': 1}"),  # as representations
    ("('ann', 'hunt...", None, "('ann', '***'"),
    (["ann"], {"password": "hunter2"}, "'ann', password='***'"),
    ([Key()], {}, "Key(password=***)"),
]


@pytest.mark.parametrize(("args", "kwargs", "shown"), SHOWN)
def test_arguments_show_no_secret(app: Celery, args: Any, kwargs: Any, shown: str) -> None:
    assert fleet.arguments_text(app, "arguments.login", args, kwargs) == shown


def test_what_waits_in_a_queue_is_masked_by_position_too(app: Celery) -> None:
    assert fleet.representation(app, "arguments.login", "('ann', 'hunter2')", "{}") == "('ann', '***')"
    assert fleet.representation(app, "other", "('ann', 'hunter2')", "{}") == "('ann', 'hunter2')"
