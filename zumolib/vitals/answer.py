"""One answer, and how all questions are asked at once without waiting for one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from zumolib.conf import hide

OK, WARNING, UNKNOWN, FAILING = "ok", "warning", "unknown", "failing"
EXIT_CODES = {OK: 0, FAILING: 1, WARNING: 3, UNKNOWN: 4}  # of `zumo status`; 2 is for wrong usage
WORST_FIRST = (FAILING, UNKNOWN, WARNING, OK)
LIMIT_SECONDS = 6.0  # for each question; they are asked at once


@dataclass(frozen=True)
class Answer:
    """What is known of one thing that must do its work."""

    id: str
    state: str  # ok, warning, failing or unknown
    evidence: str  # what was seen
    age: float | None = None  # seconds since that was so; None where it is not known
    remedy: str = ""  # what to do, where it is not ok; names settings and no addresses
    seconds: float = 0.0  # that asking took
    public: str = (
        ""  # what anybody may read of it: no address, name or path; the remedy's setting where it is empty
    )


Question = Callable[[], Answer]


def ask(questions: Mapping[str, tuple[Question, str]], limit: float = LIMIT_SECONDS) -> list[Answer]:
    """Ask all at once.

    Parameters
    ----------
    questions
        By id: the question, and the remedy where it raises or does not answer.
    limit
        Seconds after which one that has not answered counts as failing.

    Returns
    -------
    list of Answer
        In the order of `questions`; it takes `limit` seconds at most.
    """
    found: dict[str, Answer] = {}

    def put(name: str, question: Question, remedy: str) -> None:
        began = time.perf_counter()
        try:
            answer = question()
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is the answer
            said = (str(error).strip().splitlines() or [""])[0]
            evidence = hide(f"{type(error).__name__}: {said}")[:300]
            answer = Answer(name, FAILING, evidence, 0.0, remedy, public=f"{type(error).__name__}: {remedy}")
        found[name] = replace(answer, seconds=round(time.perf_counter() - began, 4))

    threads = [
        threading.Thread(target=put, args=(name, *question), daemon=True)
        for name, question in questions.items()
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [
        found.get(name) or Answer(name, FAILING, f"no answer within {limit:.0f} s", None, remedy, limit)
        for name, (_, remedy) in questions.items()
    ]


def worst(answers: Iterable[Answer]) -> str:
    """The worst state of these; unknown where there is no answer at all."""
    states = {answer.state for answer in answers}
    return next((state for state in WORST_FIRST if state in states), UNKNOWN)
