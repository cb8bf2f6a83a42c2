"""A dated copy of a runbook: what it says of itself, its parameters, its links; and the commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from zumolib.cli import main
from zumolib.conf import conf
from zumolib.runbooks import copies
from zumolib.runbooks.troubles import TROUBLES

AT = datetime(2026, 11, 18, 3, 12, 5, tzinfo=UTC)


def made(tmp_path: Path, **parameters: Any) -> nbformat.NotebookNode:
    runbook = copies.find("beat-does-not-trigger")
    path = copies.copy(runbook, reason="no digest <b>today</b>", parameters=parameters, at=AT, out=tmp_path)
    assert path == tmp_path / "2026-11-18" / "031205-beat-does-not-trigger.ipynb"
    return nbformat.read(path, as_version=4)


def test_every_trouble_has_its_runbook() -> None:
    assert [runbook.name for runbook in copies.shipped()] == list(TROUBLES)
    for runbook in copies.shipped():
        assert runbook.title
        assert runbook.symptom


def test_the_copy_says_when_who_and_why_and_carries_nothing_from_before(tmp_path: Path) -> None:
    notebook = made(tmp_path)
    told = "\n".join(cell.source for cell in notebook.cells)
    assert "Copied at 2026-11-18 03:12:05 UTC by " in told
    assert r"no digest \<b\>today" in told
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_a_reason_shows_no_secret(tmp_path: Path) -> None:
    runbook = copies.find("beat-does-not-trigger")
    path = copies.copy(runbook, reason="amqp://u:hunter2@h is down", parameters={}, at=AT, out=tmp_path)
    assert "amqp://u:***@h is down" in path.read_text()
    assert "hunter2" not in path.read_text()


def test_parameters_are_set_with_their_types_and_comments_kept(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    source = next(
        c for c in made(tmp_path, entry="x", apply=True, patience="30").cells if c.metadata.get("tags")
    )
    exec(source.source, space)
    assert (space["entry"], space["apply"], space["patience"]) == ("x", True, 30)
    assert space["reason"] == "no digest <b>today</b>"
    assert "# only this entry of the schedule; empty means all" in source.source


def test_links_of_the_copy_lead_somewhere(tmp_path: Path) -> None:
    made(tmp_path)
    [path] = tmp_path.rglob("*.ipynb")
    links = [
        link for cell in nbformat.read(path, as_version=4).cells for link in copies.LINK.findall(cell.source)
    ]
    assert links
    assert all((path.parent / link).is_file() for link in links)


# arguments, what the message must name
WRONG = [
    (("no-such",), "no-such"),
    (("beat-does-not-trigger", "-p", "colour=red"), "colour"),
    (("beat-does-not-trigger", "-p", "patience=soon"), "patience='soon'"),
    (("beat-does-not-trigger", "-p", "patience"), "name=value"),
    (("beat-does-not-trigger", "--reason", " "), "--reason is empty"),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG)
def test_wrong_arguments_are_named_and_nothing_is_copied(
    arguments: tuple[str, ...], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zumolib.conf import conf

    monkeypatch.setenv("ZUMO_REPORTS", str(tmp_path))
    conf.cache_clear()
    done = CliRunner().invoke(main, ["runbook", "run", "--reason", "why", *arguments])
    conf.cache_clear()
    assert done.exit_code == 2
    assert named in done.output
    assert list(tmp_path.rglob("*.ipynb")) == []


@pytest.mark.parametrize("name", ["03", "3", "beat-does-not-trigger", "03-beat-does-not-trigger.ipynb"])
def test_a_runbook_is_found_by_name_and_by_number(name: str) -> None:
    assert copies.find(name).name == "beat-does-not-trigger"


def test_the_list_is_for_programs_too() -> None:
    done = CliRunner().invoke(main, ["runbook", "list", "--json"])
    assert [row["name"] for row in json.loads(done.output)] == list(TROUBLES)


def test_read_only_lets_it_look_and_not_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zumolib.conf import conf

    monkeypatch.setenv("ZUMO_READ_ONLY", "true")
    monkeypatch.setenv("ZUMO_REPORTS", str(tmp_path))
    conf.cache_clear()
    done = CliRunner().invoke(main, ["runbook", "run", "3", "--reason", "why", "--apply"])
    conf.cache_clear()
    assert done.exit_code == 1
    assert "ZUMO_READ_ONLY" in done.output
    assert list(tmp_path.rglob("*.ipynb")) == []


def test_what_a_run_printed_and_why_it_ended_show_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    source = "print('password=hunter2')\nraise ValueError('redis://:hunter2@h does not answer')"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    ran = copies.run(path, conf())
    assert ran.failure == "ValueError: redis://:***@h does not answer"
    [cell] = nbformat.read(path, as_version=4).cells
    stream, error = cell.outputs
    assert stream.text == "password=***\n"
    assert error.evalue == "redis://:***@h does not answer"
    assert "hunter2" not in "".join(line for line in error.traceback if "does not answer" in line[-80:])
