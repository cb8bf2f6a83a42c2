"""Widgets where no browser listens: made without a word, so that an executed notebook keeps nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import comm

from zumolib.conf import headless

P = ParamSpec("P")
T = TypeVar("T")


def unheard(make: Callable[P, T]) -> Callable[P, T]:
    """Of a function that makes a panel, one that tells of its widgets only where a person may see them.

    Whoever runs a notebook without a person stores the state of every widget it hears of in the notebook's
    metadata: hundreds of kilobytes that nothing shows.
    """

    @wraps(make)
    def made(*arguments: P.args, **options: P.kwargs) -> T:
        if not headless():
            return make(*arguments, **options)
        with _silence():
            return make(*arguments, **options)

    return made


@contextmanager
def _silence() -> Iterator[None]:
    speaking = comm.create_comm
    comm.create_comm = comm.DummyComm
    try:
        yield
    finally:
        comm.create_comm = speaking
