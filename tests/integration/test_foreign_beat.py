"""A beat of another project that is dead: found where its database is known, else inconclusive, never all-clear."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.foreign import project
from tests.services.processes import PROJECT

# The checks that runbook 03 asks of the schedule, as a process of its own: Django is configured once.
ASK = """
import json
from tests.foreign.plain import app
from zumolib.database import orm
orm.ready()
from zumolib.checks import BY_ID, Scene, diagnose
from zumolib.figures import runbooks as draw
from zumolib.runbooks import frames
scene = Scene(app)
made = diagnose(scene, [BY_ID[id_] for id_ in ("beat-stopped", "entry-disabled", "entry-bad", "beat-doubled")])
print(json.dumps([made.verdict, [v.found for v in made.verdicts], str(draw.lateness(frames.lateness(scene)))]))
"""


def ask(home: Path, **changes: str) -> tuple[str, list[str], str]:
    environment = {**os.environ, "ZUMO_HOME": str(home), **changes}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=environment, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdict, found, drawn = json.loads(done.stdout.splitlines()[-1])
    return verdict, found, drawn


def test_our_database_says_nothing_of_their_beat(migrated: Path, tmp_path: Path) -> None:
    verdict, found, drawn = ask(tmp_path, DATABASE_URL=f"sqlite:///{migrated}")
    assert set(found) == {"inconclusive"}
    assert verdict.startswith("inconclusive: beat-stopped (the schedule of plain is not in the database")
    assert "set DATABASE_URL to the database in which django-celery-beat keeps it" in verdict
    assert "Whether an entry is overdue is not known" in drawn
    assert "No entry is overdue" not in drawn


#   seconds since the last dispatch of an entry that is sent every 30 s, what beat's check says, in the verdict
LAST = [
    (None, "inconclusive", "nothing was due yet and nothing was dispatched"),
    (3_600, "yes", "beat-stopped"),
    (5, "no", ""),
]


@pytest.mark.parametrize(("ago", "state", "text"), LAST)
def test_their_database_shows_whether_beat_dispatches(
    tmp_path: Path, ago: float | None, state: str, text: str
) -> None:
    import sqlite3

    database = project.make(tmp_path / "theirs")
    if ago is not None:
        last = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE django_celery_beat_periodictask SET last_run_at = ?", (last,))
        connection.close()
    verdict, found, _ = ask(tmp_path / "home", DATABASE_URL=f"sqlite:///{database}")
    assert found[0] == state, verdict
    assert text in verdict
