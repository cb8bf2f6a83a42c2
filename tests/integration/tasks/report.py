"""A report of a day that takes no seconds, in place of the one that runs a notebook."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

from django.conf import settings

TILES = (
    '<div><div class="zumo-tile"><div>Tasks</div><div>3,075</div></div>'
    '<div class="zumo-tile"><div>Failed</div><div>13</div><div>&lt;b&gt; o<wbr>f 3,075</div></div></div>'
)


def for_day(day: date) -> SimpleNamespace:
    folder = Path(settings.ARCHIVES).parent / "reports" / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    notebook, page = folder / "daily-report.ipynb", folder / "daily-report.html"
    cells = [{"cell_type": "code", "outputs": [{"data": {"text/html": [TILES]}}]}]
    notebook.write_text(json.dumps({"cells": cells}))
    page.write_text(TILES)
    return SimpleNamespace(path_ipynb=notebook, path_html=page)
