"""``/health/``: does everything do its work? The same answers as ``zumo status`` gives.

The page is public, so a detail names the kind of trouble and the setting to look at, never an address,
a user or a password; what was seen goes to the log.
"""

from __future__ import annotations

import logging
import threading
import time

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from zumolib.deployment import ownership
from zumolib.vitals import questions
from zumolib.vitals.answer import OK, Answer, worst
from zumolib.vitals.questions import REMEDIES

log = logging.getLogger(__name__)

KEEP_SECONDS = 1.0  # for which answers are given again: whoever asks often costs no more than that

_lock = threading.Lock()
_kept: dict[frozenset[str], tuple[float, list[Answer]]] = {}


def _answers(only: frozenset[str]) -> list[Answer]:
    with _lock:
        at, found = _kept.get(only, (float("-inf"), []))
        if time.monotonic() - at > KEEP_SECONDS:
            found = questions.all_questions(own=ownership.is_own_app(), only=only)
            for answer in found:
                if answer.state != OK:
                    log.warning("%s: %s, %s", answer.id, answer.state, answer.evidence)
            _kept[only] = time.monotonic(), found
        return found


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all is well, else 503: ``{status, checks: {id: {ok, state, seconds, age, detail}}}``.

    ``?only=database,broker`` asks these alone, as whoever judges one service wants.
    """
    only = frozenset(filter(None, request.GET.get("only", "").split(",")))
    unknown = only - set(questions.IDS)
    if unknown:
        return JsonResponse({"status": "unknown", "known": questions.IDS}, status=400)
    answers = _answers(only)
    checks = {
        answer.id: {
            "ok": answer.state == OK,
            "state": answer.state,
            "seconds": answer.seconds,
            "age": answer.age,
            "detail": "does its work" if answer.state == OK else answer.public or REMEDIES[answer.id],
        }
        for answer in answers
    }
    state = worst(answers)
    return JsonResponse({"status": state, "checks": checks}, status=200 if state == OK else 503)
