"""The daily report: one notebook run headless into a folder a day, as notebook and as offline page."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zumolib import light
from zumolib.conf import PROJECT, Conf, child_environment, read
from zumolib.errors import ReportError
from zumolib.frames.window import Window
from zumolib.headless import pages
from zumolib.masking import mask_text
from zumolib.masking.notebook import mask_outputs

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK = PROJECT / "notebooks" / "90-daily-report.ipynb"
NAME = "daily-report"
CELL_TIMEOUT = 300  # seconds
ENGINE = "zumo"

Progress = Callable[[int, int], None]  # cells done, cells in all


@dataclass(frozen=True)
class Report:
    """What a run made."""

    path_ipynb: Path
    path_html: Path
    seconds: float


def daily(
    day: str | date | None = None,
    *,
    conf: Conf,
    out: Path | None = None,
    progress: Progress | None = None,
    notebook: Path = NOTEBOOK,
) -> Report:
    """Run the daily report of one day.

    Parameters
    ----------
    day
        The day that it covers, in UTC; None means today up to now.
    conf
        Where the history, the database and the reports are.
    out
        Folder of the reports, ``ZUMO_REPORTS`` by default.
    progress
        Called with how many code cells are done, and of how many.
    notebook
        What to run.

    Returns
    -------
    Report
        ``<out>/<day>/daily-report.ipynb``, ``.html`` beside it, and the seconds it took.
        ``<out>/index.html`` lists all days.

    Raises
    ------
    InputError
        The date is none, or has not begun.
    ReportError
        A cell failed, or the reports cannot be written. What was made is kept, the page included.
    """
    began = time.perf_counter()
    now = conf.now()
    window = Window.day(str(day) if day else "", now=now)
    out = out or conf.ZUMO_REPORTS
    folder = out / f"{window.start:%Y-%m-%d}"
    report = Report(folder / f"{NAME}.ipynb", folder / f"{NAME}.html", 0.0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        failure = _execute(notebook, report.path_ipynb, window, conf, progress)
        title = f"{window.start:%A %d %B %Y}"
        seconds = time.perf_counter() - began
        page = pages.Page(
            title=f"Daily report, {window.start:%Y-%m-%d}",
            line=f"{title} · {window.start:%H:%M} to {_clock(window)} UTC",
            made=f"Made at {now:%Y-%m-%d %H:%M:%S} UTC in {seconds:.1f} s from {notebook.name}.",
            failure=failure,
        )
        report.path_html.write_text(pages.render(_read(report.path_ipynb), page))
        let_go(out, now.date() - timedelta(days=conf.ZUMO_REPORT_DAYS))
        (out / "index.html").write_text(pages.index(_days(out)))
    except OSError as error:
        raise ReportError(
            f"{error.filename or out} cannot be written: {error.strerror}; "
            "free space there, or set ZUMO_REPORTS to a folder of your own"
        ) from None
    if failure:
        raise ReportError(f"{failure}; what was made is kept in {report.path_html}")
    return Report(report.path_ipynb, report.path_html, time.perf_counter() - began)


def let_go(out: Path, first: date) -> list[Path]:
    """Delete what was made on days before `first`, and nothing that a person put beside it; the files that went."""
    gone = []
    for folder in sorted(out.glob("????-??-??")):
        if not folder.is_dir() or not folder.name < f"{first:%Y-%m-%d}":
            continue
        for path in sorted(path for path in folder.iterdir() if path.suffix in (".ipynb", ".html")):
            path.unlink(missing_ok=True)
            gone.append(path)
        with contextlib.suppress(OSError):  # something of a person's is in it
            folder.rmdir()
    return gone


def for_day(day: date) -> Report:
    """The report of a day with this process's settings, for who knows this function by name only."""
    return daily(day, conf=read())


def _clock(window: Window) -> str:
    return "24:00" if window.hours == 24 else f"{window.end:%H:%M}"


def _execute(source: Path, target: Path, window: Window, conf: Conf, progress: Progress | None) -> str:
    """Run the notebook; the failure as text, or nothing."""
    _register_engine()
    import papermill  # takes a second to import
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            source,
            target,
            parameters={"date": f"{window.start:%Y-%m-%d}"},
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(source.parent),
            environment=_environment(conf),
            progress=progress,
            keys=conf.ZUMO_MASKED_KEYS,
        )
    except PapermillExecutionError as error:
        said = mask_text(f"{error.ename}: {error.evalue}", conf.ZUMO_MASKED_KEYS)
        return f"{source.name}: cell {error.exec_count} failed: {said}"
    except CellTimeoutError:
        return f"{source.name}: a cell took longer than {CELL_TIMEOUT} s and was stopped"
    except DeadKernelError:
        return f"{source.name}: the kernel ended before the notebook did; is memory short?"
    except RuntimeError as error:  # what jupyter_client raises when a kernel does not come up
        raise ReportError(
            f"{source.name} did not start: {error}; try `python -m ipykernel_launcher`"
        ) from None
    return ""


def _environment(conf: Conf) -> dict[str, str]:
    """The kernel sees the settings that the report is made with, wherever those came from."""
    return child_environment(
        {
            "ZUMO_HOME": str(conf.ZUMO_HOME),
            "ZUMO_HISTORY": str(conf.history),
            "DATABASE_URL": conf.database_url,
            "ZUMO_APP": conf.ZUMO_APP,
            "ZUMO_NOW": conf.ZUMO_NOW,
            # A report shows and never acts.
            "ZUMO_READ_ONLY": "true",
        }
    )


@cache
def _register_engine() -> None:
    """Give papermill an engine that passes an environment to the kernel and tells how far it is."""
    with light.imports():
        from papermill.clientwrap import PapermillNotebookClient
        from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,
            kernel_name: str,
            *,
            environment: dict[str, str],
            progress: Progress | None,
            keys: tuple[str, ...],
            **_: Any,
        ) -> None:
            total = sum(cell.cell_type == "code" for cell in nb_man.nb.cells)
            done = 0

            def count(**_cell: Any) -> None:
                nonlocal done
                done += 1
                if progress:
                    progress(done, total)

            client = PapermillNotebookClient(
                nb_man,
                kernel_name=kernel_name,
                timeout=CELL_TIMEOUT,
                on_cell_executed=count,
                log_output=False,
                # It would warn, at each start, that its sockets on the loopback interface are not encrypted.
                extra_arguments=["--IPKernelApp.log_level=ERROR"],
            )
            try:
                client.execute(env=environment)
            finally:
                mask_outputs(nb_man.nb, keys)

    papermill_engines.register(ENGINE, Engine)


def _read(path: Path) -> NotebookNode:
    with light.imports():
        import nbformat

    return nbformat.read(path, as_version=4)


def _days(out: Path) -> list[pages.Day]:
    """What is in the folder of reports, the newest day first."""
    return [_day(path) for path in sorted(out.glob(f"????-??-??/{NAME}.ipynb"), reverse=True)]


def _day(path: Path) -> pages.Day:
    folder = path.parent
    ran = json.loads(path.read_text()).get("metadata", {}).get("papermill", {})
    seconds = ran.get("duration")
    return pages.Day(
        title=f"{date.fromisoformat(folder.name):%A %d %B %Y}",
        notebook=f"{folder.name}/{path.name}",
        page=f"{folder.name}/{NAME}.html" if (folder / f"{NAME}.html").is_file() else "",
        failed=bool(ran.get("exception")) or seconds is None,
        made=f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M}",
        took=f"{seconds:.0f} s" if seconds is not None else "",
    )
