"""The operations report of a day: made once, stored, and mailed to the operators once."""

from __future__ import annotations

import json
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from tasks.base import mail
from tasks.models import StoredReport

KIND = "operations"
MAIL = "operations report"
TILE = "zumo-tile"  # class of one figure of the headline, as the report's notebook shows it
MOST_TILES = 12


def find(day: date) -> StoredReport | None:
    """The stored report of a day, if its files are still there."""
    stored = StoredReport.objects.filter(kind=KIND, day=day).first()
    return stored if stored and Path(stored.path).is_file() else None


def make(day: date, now: datetime) -> StoredReport:
    """Make the report, store where it is, and write the letters about it, each once for the day."""
    report = import_string(settings.DAILY_REPORT)(day)
    figures = headline(Path(report.path_ipynb))
    content = {"notebook": str(report.path_ipynb), "page": str(report.path_html), "headline": figures}
    with transaction.atomic():
        stored, _ = StoredReport.objects.update_or_create(
            kind=KIND,
            day=day,
            defaults={"path": str(report.path_html), "content": content, "created_at": now},
        )
        mail.write(_letters(stored), now)
    return stored


def headline(notebook: Path) -> list[tuple[str, str]]:
    """The figures that the report begins with: label and value of each, read from its notebook's output.

    Empty where the notebook has none; a report is worth its mail without.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return []
    for cell in cells:
        for output in cell.get("outputs", ()):
            page = "".join(output.get("data", {}).get("text/html", ()))
            if TILE in page:
                tiles = _Tiles()
                tiles.feed(page)
                return [(tile[0], " ".join(tile[1:])) for tile in tiles.found[:MOST_TILES] if tile]
    return []


def _letters(stored: StoredReport) -> list[mail.Letter]:
    return mail.to_operators(
        MAIL,
        stored.day.isoformat(),
        f"Operations report of {stored.day:%Y-%m-%d}",
        lines=(f"The report of {stored.day:%A %d %B %Y} (UTC) is ready.",),
        facts=(
            *((label, value) for label, value in stored.content["headline"]),
            ("page", stored.content["page"]),
            ("notebook", stored.content["notebook"]),
        ),
    )


class _Tiles(HTMLParser):
    """The texts inside each tile, one for each of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self._depth = 0  # of the part inside the tile that is open; 0 is outside

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "div":
            return  # a mere place where a line may break, or a mark-up of letters
        if self._depth:
            self._depth += 1
            self.found[-1].append("")
        elif TILE in (dict(attrs).get("class") or "").split():
            self._depth = 1
            self.found.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._depth:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth > 1:
            self.found[-1][-1] += data


def summary_of(stored: StoredReport) -> dict[str, Any]:
    """What the task says about the report."""
    return {"day": stored.day.isoformat(), "page": stored.content["page"]}
