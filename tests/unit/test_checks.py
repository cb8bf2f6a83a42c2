"""The checks, fed with what workers and broker would have said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st

from zumolib.checks import BY_ID, CHECKS, CannotTell, Check, Finding, Scene, diagnose, memory
from zumolib.checks.check import SEVERITIES
from zumolib.checks.scene import Answer
from zumolib.inspection.fleet import Fleet
from zumolib.runbooks.troubles import TROUBLES

NODE = "w@here"
NOW = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


def scene(*, broker: str = "ok", ready: dict[str, int] | None = None, **answers: Any) -> Scene:
    """A deployment of two queues; without answers nobody replies."""
    app = Celery("tried", broker="amqp://nowhere", set_as_current=False)
    app.conf.task_queues = None
    app.amqp.queues.add("fast")
    app.amqp.queues.add("slow")
    said = {key: {NODE: answers.get(key, default)} for key, default in HEALTHY.items()} if answers else {}
    told = {key: said.get(key, {}) for key in HEALTHY}
    made = Scene(app, now=NOW)
    made.__dict__["broker"] = Answer(broker, "said so" if broker != "ok" else "")
    made.__dict__["fleet"] = Fleet(NOW, tuple(told["stats"]), told, app)
    made.__dict__["ready"] = {"fast": 0, "slow": 0, "celery": 0, **(ready or {})}
    made.__dict__["paused"] = {}
    return made


STATS = {"pid": 1, "pool": {"processes": [2, 3], "max-concurrency": 2}, "prefetch_count": 8, "total": {}}
HEALTHY: dict[str, Any] = {
    "stats": STATS,
    "active": [],
    "reserved": [],
    "scheduled": [],
    "active_queues": [{"name": "fast"}, {"name": "slow"}, {"name": "celery"}],
    "registered": [],
    "rate_limited": {},
    "revoked": [],
}


def request(name: str, *, started: float | None = None) -> dict[str, Any]:
    return {"id": name, "name": name, "args": [], "kwargs": {}, "delivery_info": {}, "time_start": started}


def waiting(count: int) -> list[dict[str, Any]]:
    return [{"eta": "2026-11-18T09:00:00+00:00", "request": request(f"later-{n}")} for n in range(count)]


LONG = NOW.timestamp() - 600

# The causes that are not planted on a real stack, and their nearest neighbours.
#   check, answers of the worker, messages ready in "fast", subjects found
TOLD = [
    ("no-worker", {}, 0, [""]),
    ("no-worker", {"stats": STATS}, 0, []),
    ("workers-busy", {"active": [request("a", started=LONG), request("b", started=LONG)]}, 5, [NODE]),
    ("workers-busy", {"active": [request("a", started=LONG), request("b", started=LONG)]}, 0, []),
    ("workers-busy", {"active": [request("a", started=LONG)]}, 5, []),
    (
        "workers-busy",
        {"active": [request("a", started=LONG), request("b", started=LONG)], "reserved": [request("c")]},
        0,
        [NODE],
    ),
    ("prefetch-held", {"scheduled": waiting(8)}, 5, [NODE]),
    ("prefetch-held", {"scheduled": waiting(7)}, 5, []),
    ("prefetch-held", {"scheduled": waiting(8)}, 0, []),
    ("queue-unconsumed", {"active_queues": [{"name": "fast"}, {"name": "celery"}]}, 0, ["slow"]),
    ("queue-unconsumed", {"stats": STATS}, 0, []),
    ("rate-limited", {"rate_limited": {"t": {"ids": ["1", "2"], "seconds": 30, "every": 60}}}, 0, ["t"]),
    ("rate-limited", {"rate_limited": {"t": {"ids": ["1"], "seconds": 30, "every": 60}}}, 0, []),
    ("task-revoked", {"revoked": []}, 0, []),
]


@pytest.mark.parametrize(("id_", "answers", "ready", "subjects"), TOLD)
def test_what_a_check_finds(id_: str, answers: dict[str, Any], ready: int, subjects: list[str]) -> None:
    seen = scene(ready={"fast": ready}, **answers)
    found = list(BY_ID[id_].look(seen))
    assert [finding.subject for finding in found] == subjects
    for finding in found:
        assert finding.id == id_
        assert finding.saw
        assert finding.hint
        assert finding.severity in SEVERITIES


def test_what_is_not_told_is_not_a_no() -> None:
    seen = scene(revoked=["1"])
    with pytest.raises(CannotTell, match="this broker does not tell"):
        list(BY_ID["task-revoked"].look(seen))
    [verdict] = diagnose(seen, [BY_ID["task-revoked"]]).verdicts
    assert verdict.found == "inconclusive"


@pytest.mark.parametrize(
    ("state", "id_"),
    [
        ("unreachable", "broker-unreachable"),
        ("login", "broker-refuses-login"),
        ("vhost", "broker-refuses-vhost"),
    ],
)
def test_a_cause_hides_those_behind_it(state: str, id_: str) -> None:
    made = diagnose(scene(broker=state), [BY_ID[i] for i in TROUBLES["tasks-not-executed"]])
    assert made.verdict == id_
    behind = [verdict for verdict in made.verdicts if verdict.check.after]
    assert behind
    assert {verdict.found for verdict in behind} == {"inconclusive"}
    assert BY_ID[id_].cause in made.frame["saw"].iloc[-1]


def test_what_was_done_on_purpose_is_no_trouble() -> None:
    note = Check("x", "x is off", lambda _: [Finding("x", "x", "off", "on", severity="note")])
    made = diagnose(scene(), [note])
    assert made.verdict == "nothing to do"
    assert made.frame["found"].tolist() == ["on purpose"]


def test_every_cause_of_every_runbook_is_a_check_and_no_id_is_twice() -> None:
    assert len(BY_ID) == len(CHECKS)
    for ids in TROUBLES.values():
        assert set(ids) <= set(BY_ID)
        for id_ in ids:
            assert set(BY_ID[id_].after) <= set(ids), f"{id_} is asked without what hides it"


def watched(sizes: list[float], runs: list[dict[str, int]], pids: list[int] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "seconds": [n / 2 for n in range(len(sizes))],
            "worker": NODE,
            "pid": pids or [2] * len(sizes),
            "mb": sizes,
        }
    ).astype(memory.COLUMNS)
    frame.attrs["runs"] = runs
    return frame


SAMPLES = 80  # 20 s, in which the tasks run in turns of 3 s
TURN = [at // 12 % 2 for at in range(SAMPLES)]
LEAKY = [sum(not turn for turn in TURN[:at]) // 2 for at in range(SAMPLES)]
CLEAN = [sum(TURN[:at]) // 2 for at in range(SAMPLES)]
BOTH = [{"leaky": a, "clean": b} for a, b in zip(LEAKY, CLEAN, strict=True)]


def test_growth_goes_to_the_task_whose_runs_it_follows() -> None:
    per_run = memory.growth(watched([100 + 12.0 * n for n in LEAKY], BOTH))
    assert per_run.to_dict() == {"leaky": pytest.approx(12, rel=0.1)}


def test_two_that_leak_are_both_told() -> None:
    sizes = [100 + 12.0 * a + 3 * b for a, b in zip(LEAKY, CLEAN, strict=True)]
    assert memory.growth(watched(sizes, BOTH)).to_dict() == {
        "leaky": pytest.approx(12),
        "clean": pytest.approx(3),
    }


def test_a_worker_of_another_machine_tells_its_sizes() -> None:
    elsewhere = {"pid": 2**22 + 1, "pool": {"processes": [2**22 + 2]}}  # ids that no process here can have
    told = {NODE: {"own": 50, "children": {str(2**22 + 2): 70}}}
    assert memory.sizes({NODE: elsewhere}, told) == {NODE: {2**22 + 1: 50, 2**22 + 2: 70}}
    assert memory.tells(told, [NODE])
    unknown = {NODE: {"error": "No such control method: resident"}}
    assert memory.sizes({NODE: elsewhere}, unknown) == {}
    assert not memory.tells(unknown, [NODE])


def test_two_that_always_run_together_are_not_told_apart() -> None:
    together = [{"leaky": n, "clean": 3 * n} for n in range(24)]
    per_run = memory.growth(watched([100 + 12.0 * n for n in range(24)], together))
    assert per_run.attrs["alike"] == ["clean", "leaky"]
    apart = memory.growth(watched([100 + 12.0 * n for n in LEAKY], BOTH))
    assert apart.attrs["alike"] == []


@settings(deadline=None)
@given(caught=st.sets(st.sampled_from(range(1, SAMPLES - 1, 3)), max_size=6), kept=st.floats(0, 20))
def test_what_a_task_holds_only_while_it_runs_is_no_growth(caught: set[int], kept: float) -> None:
    """Samples that catch the other task at work, and an allocator that keeps a little for later."""
    sizes = [100 + 12.0 * n + (20 if at in caught else kept if at > 3 else 0) for at, n in enumerate(LEAKY)]
    assert list(memory.growth(watched(sizes, BOTH)).index) == ["leaky"]


def test_no_growth_where_nothing_ran_nothing_grew_or_a_process_was_replaced() -> None:
    assert memory.growth(watched([], [])).empty
    assert memory.growth(watched([100, 100, 100], [{}, {"t": 2}, {"t": 5}])).empty
    assert memory.growth(watched([100, 200, 300], [{"t": 5}, {"t": 5}, {"t": 5}])).empty
    replaced = watched([900, 100, 100, 100], [{}, {"t": 2}, {"t": 4}, {"t": 6}], [2, 3, 3, 3])
    assert memory.growth(replaced).empty


def test_a_check_that_cannot_judge_is_no_all_clear() -> None:
    def look(_: Scene) -> list[Finding]:
        raise CannotTell("the broker does not tell; set X")

    unknown = Check("x", "x is off", look)
    sound = Check("y", "y is off", lambda _: [])
    wrong = Check("z", "z is off", lambda _: [Finding("z", "w", "off", "on")])
    assert diagnose(scene(), [sound]).verdict == "nothing to do"
    assert diagnose(scene(), [unknown, sound]).verdict == "inconclusive: x (the broker does not tell; set X)"
    assert diagnose(scene(), [unknown, wrong]).verdict == (
        "z (w); inconclusive: x (the broker does not tell; set X)"
    )
    behind = Check("b", "b is off", lambda _: [], after=("z",))
    assert diagnose(scene(), [wrong, behind]).verdict == "z (w)"


# A worker lists what its app added, and not all of what Celery adds.
#   name of an entry's task, what the worker says it registered, subjects found (None: cannot be told)
REGISTERED: list[tuple[str, Any, list[str] | None]] = [
    ("celery.backend_cleanup", ["shop.sell"], []),
    ("celery.misspelt", ["shop.sell"], ["celery.misspelt"]),
    ("shop.sell", ["shop.sell"], []),
    ("shop.sel", ["shop.sell"], ["shop.sel"]),
    ("shop.sel", [], ["shop.sel"]),
    ("shop.sel", None, None),
    ("shop.sel", {"error": "no answer"}, None),
]


@pytest.mark.parametrize(("name", "registered", "subjects"), REGISTERED)
def test_what_workers_know_is_taken_from_their_answers_only(
    name: str, registered: Any, subjects: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zumolib.checks.schedule.entries_by_task", lambda _: {name: ["nightly"]})
    seen = scene(registered=registered, stats=STATS)
    seen.task = name
    look = BY_ID["task-unregistered"].look
    if subjects is None:
        with pytest.raises(CannotTell, match="w@here did not say which tasks they know"):
            list(look(seen))
        return
    found = list(look(seen))
    assert [finding.subject for finding in found] == subjects
    assert all(finding.facts["everywhere"] for finding in found)


def test_a_finding_stands_where_its_cure_had_no_effect() -> None:
    note = Check("x", "x is off", lambda _: [])
    made = diagnose(scene(), [note])
    assert made.verdict == "nothing to do"
    assert made.still([Finding("x", "a", "still off", "look")]).verdict == "x (a)"
    assert made.still([]) == made
