"""The daily report as a person makes it: notebook, offline page, list of days, and its failures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests import notebooks
from tests.services.chromium import chromium
from zumolib.conf import Conf, read
from zumolib.errors import InputError, ReportError
from zumolib.headless import reports

NAMES = ("ZUMO_HOME", "ZUMO_HISTORY", "ZUMO_NOW", "DATABASE_URL")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return notebooks.environment(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def frozen(world: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conf]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", world["PYTHONPATH"])
        out = tmp_path_factory.mktemp("reports")
        yield read(ZUMO_REPORTS=out, **{name: world[name] for name in NAMES})


@pytest.fixture(scope="module")
def made(frozen: Conf) -> tuple[reports.Report, list[tuple[int, int]]]:
    steps: list[tuple[int, int]] = []
    report = reports.daily(
        "2026-11-17", conf=frozen, progress=lambda done, total: steps.append((done, total))
    )
    return report, steps


Made = tuple[reports.Report, list[tuple[int, int]]]


def test_it_makes_a_notebook_and_a_page_and_tells_how_far_it_is(frozen: Conf, made: Made) -> None:
    report, steps = made
    assert report.path_ipynb == frozen.ZUMO_REPORTS / "2026-11-17" / "daily-report.ipynb"
    assert report.path_html.is_file()
    done, total = steps[-1]
    assert done == total == len(steps)
    parameters = nbformat.read(report.path_ipynb, as_version=4).metadata.papermill.parameters
    assert parameters == {"date": "2026-11-17"}


def test_the_page_asks_the_internet_for_nothing(made: Made) -> None:
    page = made[0].path_html.read_text()
    page = page.replace(_plotly(), "")
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    assert "require" not in page.lower()
    assert "mathjax" not in page.lower()


def test_the_page_carries_its_charts_once_and_the_engine_once(made: Made) -> None:
    report, _ = made
    cells = nbformat.read(report.path_ipynb, as_version=4).cells
    plots = sum(
        "application/vnd.plotly.v1+json" in o.get("data", {}) for c in cells for o in c.get("outputs", [])
    )
    page = report.path_html.read_text()
    assert page.count(_plotly()) == 1
    assert page.count('<div class="plot">') == plots >= 5


def test_the_page_shows_the_numbers_of_the_day(made: Made) -> None:
    page = made[0].path_html.read_text()
    assert "Tuesday 17 November 2026" in page
    assert "ReadTimeout" in page  # the payment provider's outage
    assert "covers the whole window" in page
    assert "94 of 94 entries enabled" in page


def test_charts_are_drawn_in_a_browser_without_a_network(made: Made) -> None:
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(made[0].path_html.as_uri())
        expected = page.locator(".plot").count()
        page.wait_for_function(
            "n => document.querySelectorAll('.plot.js-plotly-plot').length === n", arg=expected
        )
        assert page.locator(".plot .main-svg").count() >= expected
        assert page.locator("[data-title*='hare']").count() == 0  # no button uploads a chart
        assert page.locator("pre.code:visible").count() == 0
        page.check("#show-code")
        assert page.locator("pre.code:visible").count() > 5
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_list_of_days_leads_to_the_page(frozen: Conf, made: Made) -> None:
    index = (frozen.ZUMO_REPORTS / "index.html").read_text()
    assert 'href="2026-11-17/daily-report.html"' in index
    assert "complete" in index


def test_without_a_date_it_is_the_day_so_far(frozen: Conf, tmp_path: Path) -> None:
    notebook = _notebook(tmp_path, "date")
    conf = frozen.model_copy(update={"ZUMO_NOW": "2026-11-17T09:00:00"})
    report = reports.daily(None, conf=conf, out=tmp_path / "out", notebook=notebook)
    assert report.path_html.parent.name == "2026-11-17"
    assert "00:00 to 09:00 UTC" in report.path_html.read_text()


def test_a_failing_cell_is_named_and_what_was_made_is_kept(frozen: Conf, tmp_path: Path) -> None:
    notebook = _notebook(tmp_path, "print('made before')", "raise ValueError('no such thing </script>')")
    out = tmp_path / "out"
    with pytest.raises(
        ReportError, match=r"failing\.ipynb: cell \d+ failed: ValueError: no such thing"
    ) as caught:
        reports.daily("2026-11-17", conf=frozen, out=out, notebook=notebook)
    page = out / "2026-11-17" / "daily-report.html"
    assert str(page) in str(caught.value)
    assert "made before" in page.read_text()
    assert "This report is incomplete" in page.read_text()
    assert "no such thing </script>" not in page.read_text()
    assert (out / "2026-11-17" / "daily-report.ipynb").is_file()
    assert "a cell failed" in (out / "index.html").read_text()


def test_a_dying_kernel_is_a_report_error(frozen: Conf, tmp_path: Path) -> None:
    notebook = _notebook(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ReportError, match="the kernel ended before the notebook did"):
        reports.daily("2026-11-17", conf=frozen, out=tmp_path / "out", notebook=notebook)


@pytest.mark.parametrize(
    ("day", "said"),
    [("yesterday", "'yesterday' is no date"), ("2026-11-31", "is no date"), ("2026-11-19", "has not begun")],
)
def test_a_wrong_date_is_refused_before_anything_is_made(
    frozen: Conf, tmp_path: Path, day: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        reports.daily(day, conf=frozen, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_names_the_remedy(frozen: Conf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportError, match="ZUMO_REPORTS"):
        reports.daily("2026-11-17", conf=frozen, out=tmp_path / "file")


def _notebook(folder: Path, *sources: str) -> Path:
    parameters = nbformat.v4.new_code_cell('date: str = ""  # day', metadata={"tags": ["parameters"]})
    cells = [parameters, *map(nbformat.v4.new_code_cell, sources)]
    path = folder / "failing.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=cells, metadata=kernel)))
    return path


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
