from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.commands import ALL, LEAVES
from zumolib.cli import main, output
from zumolib.conf import PROJECT

# Commands that print data, and so must print it for programs too.
PRINT_DATA = {
    *("status", "conf", "drill", "report"),
    *("schedule install", "schedule list", "schedule drift", "demo load"),
    *("call", "revoke", "retry", "reschedule", "enable", "disable", "pause", "resume", "purge"),
    *("limit rate", "limit time", "pool grow", "pool shrink", "pool autoscale", "pool shutdown"),
    *("actions", "undo", "runbook list", "runbook run"),
}


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_says_what_it_does(path: tuple[str, ...], command: click.Command) -> None:
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("host", "port", "help"):
            assert parameter.help, f"--{parameter.name} has no help"


def test_the_readme_names_every_command() -> None:
    readme = (PROJECT / "README.md").read_text()
    missing = [" ".join(path) for path, _ in LEAVES if f"`zumo {' '.join(path)}" not in readme]
    assert missing == []


def test_commands_that_print_data_print_json() -> None:
    with_json = {
        " ".join(path) for path, command in LEAVES if any(p.name == "as_json" for p in command.params)
    }
    assert with_json >= PRINT_DATA


def test_help_imports_nothing_heavy() -> None:
    """Imports are what a command line waits for: 0.1 s without these, seconds with them."""
    code = """
import json, sys
from click.testing import CliRunner
from zumolib.cli import main
for path in json.loads(sys.argv[1]):
    assert CliRunner().invoke(main, [*path, "--help"]).exit_code == 0, path
heavy = {"celery", "kombu", "django", "pandas", "numpy", "plotly", "duckdb", "pyarrow", "pydantic", "redis",
         "requests", "papermill", "IPython"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    paths = json.dumps([path for path, _ in ALL])
    done = subprocess.run([sys.executable, "-c", code, paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_status_imports_no_celery(tmp_path: Path) -> None:
    code = """
import json, sys
from zumolib.stack import status
status.status()
print(json.dumps(sorted({"celery", "django_celery_beat", "pandas", "plotly", "duckdb", "pyarrow"} & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_control_characters_show_as_text() -> None:
    assert output.plain("a\x1b[31mb\x07\u009b") == "a\\x1b[31mb\\x07\\x9b"
    assert output.plain(None) == ""
    assert output.plain(datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)) == "2026-11-22 01:02:03"


# seconds, as people say them
SAID = [(0.04, "0.0 s"), (1.23, "1.2 s"), (12.6, "13 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min")]


@pytest.mark.parametrize(("value", "text"), SAID)
def test_durations(value: float, text: str) -> None:
    assert output.seconds(value) == text
