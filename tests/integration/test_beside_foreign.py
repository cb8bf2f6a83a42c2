"""Beside another project's app every command and every notebook looks, and changes nothing.

A full dump of their database, every key of their broker and results, and their worker's own view of itself are
compared before and after each. Commands that act show a preview and are then told no; what would take part refuses
and names what it found. What is tried is found, not listed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import commands, forked, notebooks
from tests.commands import LEAVES
from tests.foreign import deployment, project
from tests.foreign.deployment import NODE, Deployment
from tests.integration.own_process import OwnProcess
from tests.light import nbformat
from tests.services.ports import free_port
from tests.waiting import wait_until
from zumolib.cli.effects import Effect, effect
from zumolib.conf import PROJECT

PASSWORD = "kd8-s2jq-w81"
# They run beside another app: a recorder and JupyterLab. What waits for them is in a test of its own.
RUNS = ("up", "down", "run", "record", "logs")
SLOW = ("report", "runbook run")  # each starts a kernel
# There is nothing of the kind to act on, which the command says; that it asks first is shown by all others.
NO_PLAN = {"retry", "resume", "undo", "enable", "pool autoscale"}
# Parameters that only say how long something is watched.
WATCHED = {"04-worker-memory-grows": {"watch": 1}}
OTHERS = "another project's"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment.running(tmp_path_factory.mktemp("theirs")) as made:
        yield made


@pytest.fixture(scope="module")
def world(theirs: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person who looks at it: the README's variables."""
    home = tmp_path_factory.mktemp("home")
    settings = theirs.settings
    settings["PYTHONPATH"] = os.pathsep.join([settings["PYTHONPATH"], str(PROJECT)])
    own = {
        "ZUMO_HOME": str(home),
        "ZUMO_REPORTS": str(home / "reports"),
        "ZUMO_SECRET_KEY": "a-secret-key-of-this-test-and-no-other",
    }
    # What the tests' own Django has set in this process is no part of that person's environment.
    theirs_only = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return {**theirs_only, **own, **settings}


@pytest.fixture(scope="module")
def zumo(world: dict[str, str]) -> Iterator[forked.Commands]:
    with forked.commands(world, PROJECT) as made:
        yield made


@pytest.fixture(scope="module")
def words(theirs: Deployment, world: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Words after each command that does not run on beside them."""
    target = commands.Target(
        task="plain.bill", arguments=("3",), entry=project.ENTRY, queue="celery", worker=NODE, scaling=NODE,
        receipt="1", id=theirs.held[0],
    )  # fmt: skip
    made = commands.calls(target) | {
        "enable": commands.calls(replace(target, entry=project.OFF))["enable"],
        "web": ("--port", str(free_port())),
        "report": (
            "--date",
            "2026-11-01",
        ),  # another day than that of `run`, which makes its report meanwhile
        "env init": ("--path", str(Path(world["ZUMO_HOME"]) / ".env")),
    }
    return {name: after for name, after in made.items() if name not in RUNS}


@contextmanager
def unchanged(theirs: Deployment, what: str) -> Iterator[None]:
    """Compare all of them before and after; `what` is the culprit."""
    before = theirs.look()
    theirs.writes()
    yield
    assert theirs.writes() == [], what
    after = theirs.look()
    changed = {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }
    assert changed == {}, what


def test_every_command_is_tried(words: dict[str, tuple[str, ...]]) -> None:
    assert {" ".join(path) for path, _ in LEAVES} == set(words) | set(RUNS)


def test_their_look_sees_a_change(theirs: Deployment) -> None:
    """What the next tests find unchanged would be seen to change."""
    with pytest.raises(AssertionError, match="key later"), unchanged(theirs, "their own producer"):
        theirs.send("plain.later", queue="later")
    store = "import redis, sys; r = redis.Redis.from_url(sys.argv[1]); r.set('theirs', 1); r.delete('theirs')"
    with pytest.raises(AssertionError, match="SET theirs"), unchanged(theirs, "a write that is undone"):
        subprocess.run([sys.executable, "-c", store, theirs.results], check=True)


@pytest.mark.parametrize(
    ("path", "command"),
    [(path, command) for path, command in LEAVES if " ".join(path) not in (*RUNS, *SLOW)],
    ids=[" ".join(path) for path, _ in LEAVES if " ".join(path) not in (*RUNS, *SLOW)],
)
def test_a_command_changes_nothing(
    path: commands.Path, command: object, theirs: Deployment, zumo: forked.Commands, words: dict[str, tuple[str, ...]]
) -> None:  # fmt: skip
    name = " ".join(path)
    call = [*path, *words[name]]
    does = effect(command)
    asks = "--yes" in commands.confirmation(command)
    with unchanged(theirs, name):
        if asks:
            preview, answered = zumo.call([*call, "--dry-run"], call, answer="n\n")
        else:
            [preview] = [answered] = zumo.call(call, answer=f"{PASSWORD}\n")
    assert "Traceback" not in preview.said + answered.said
    if asks and name not in NO_PLAN:
        assert preview.code == 0, preview.said
        assert answered.said.endswith("nothing was done\n"), answered.said
    elif does is Effect.WRITES or does is Effect.STARTS:
        assert answered.code != 0
        assert OTHERS in answered.said, answered.said
    elif does is Effect.READS:
        assert answered.code == 0 or name in ("status", "actions"), answered.said


def test_what_runs_beside_them_changes_nothing(
    theirs: Deployment,
    zumo: forked.Commands,
    words: dict[str, tuple[str, ...]],
    world: dict[str, str],
    tmp_path: Path,
) -> None:
    history = Path(world["ZUMO_HOME"]) / "history"
    with unchanged(theirs, ", ".join((*RUNS, *SLOW))):
        try:
            [up] = zumo.call(["up"])
            assert up.code == 0, up.said
            assert "only the recorder and JupyterLab are started" in up.said
            record = [sys.executable, "-m", "zumolib", "record", "--name", "another"]
            with OwnProcess(record, env=world, cwd=PROJECT, log=tmp_path / "record.log") as recorder:
                slow = [[*name.split(), *words[name]] for name in SLOW]
                run, logs, status, report, runbook = zumo.call(["run"], ["logs"], ["status"], *slow)
                recorder.wait_until((history / "recorder-another.json").exists, 60)
            assert run.code == 0, run.said
            assert logs.code == 0, logs.said
            assert report.code == 0, report.said
            assert "inconclusive: beat-stopped" in runbook.said
            assert "broke off" not in runbook.said
            running = {line.split()[0] for line in status.said.splitlines() if " running " in line}
            assert running == {"jupyter", "recorder"}, status.said
        finally:
            [down] = zumo.call(["down"])
        assert down.code == 0, down.said


def test_our_own_app_with_their_addresses_writes_nothing(
    theirs: Deployment, zumo: forked.Commands, words: dict[str, tuple[str, ...]]
) -> None:
    """ZUMO_APP was forgotten: what only looks must not take their broker, results and database for its own."""
    looks = {
        " ".join(path): [*path, *words[" ".join(path)]]
        for path, command in LEAVES
        if effect(command) is Effect.READS and " ".join(path) not in (*RUNS, *SLOW)
    }
    with unchanged(theirs, ", ".join(looks)):
        done = zumo.call(*looks.values(), ZUMO_APP="zumolib", CELERY_RESULT_BACKEND=theirs.results)
        [record] = zumo.call(["record"], ZUMO_APP="zumolib")
    assert record.code != 0
    assert "another app's broker" in record.said
    said = {name: one.said for name, one in zip(looks, done, strict=True)}
    assert [name for name, text in said.items() if "Traceback" in text] == []
    status = " ".join(said["status"].split())
    for what in ("broker", "results", "database"):
        assert f"{what}: unknown, answers; no write is tried" in status, said["status"]


#   our own processes, as supervisor and docker compose start them
PROCESSES = ("worker", "beat")


def test_our_processes_refuse_to_run_there(theirs: Deployment, world: dict[str, str], tmp_path: Path) -> None:
    with unchanged(theirs, "our worker and our beat"):
        started = {
            name: OwnProcess(
                [sys.executable, "-m", "celery", "-A", "zumolib", name], env=world, cwd=PROJECT, log=tmp_path / name
            )
            for name in PROCESSES
        }  # fmt: skip
        for name, process in started.items():
            with process:
                assert process.process.wait(60) != 0, name
            assert "another app's broker" in process.tail() or OTHERS in process.tail(), process.tail()


@pytest.fixture(scope="module")
def kernel(request: pytest.FixtureRequest, world: dict[str, str]) -> Iterator[notebooks.Kernel]:
    """One for the runbooks and one for all others, since they come to their app by different ways."""
    with notebooks.Kernel(world) as made:
        yield made


@pytest.mark.parametrize(
    ("kernel", "path"),
    [(path.parent.name, path) for path in notebooks.paths()],
    indirect=["kernel"],
    ids=[path.stem for path in notebooks.paths()],
)
def test_a_notebook_changes_nothing(path: Path, theirs: Deployment, kernel: notebooks.Kernel) -> None:
    with unchanged(theirs, path.stem):
        made = kernel.execute(nbformat.read(path, as_version=4), **WATCHED.get(path.stem, {}))
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert outputs
    assert [output for output in outputs if output.output_type == "error"] == []


def test_their_worker_runs_what_its_own_app_sent_and_nothing_else(theirs: Deployment) -> None:
    theirs.release()
    last = theirs.send("plain.bill", 9)
    wait_until(lambda: last in theirs.runs(), 60, "their worker runs what waits")
    assert sorted(theirs.runs()) == sorted([*theirs.sent, last])
    assert "Received unregistered" not in (theirs.folder / "worker.log").read_text()
