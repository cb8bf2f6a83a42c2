"""`zumo run`, which is `make run` without its set-up: from an empty folder to a report with charts."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.stack import Stack
from tests.services.chromium import chromium


def charts(page: Path) -> tuple[list[str], list[str]]:
    """Titles of the charts that Chromium draws, and every address that it asked for besides the page."""
    asked: list[str] = []
    with chromium() as browser:
        opened = browser.new_context(offline=True).new_page()
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(page.as_uri())
        opened.wait_for_selector(".js-plotly-plot .main-svg")
        titles = opened.locator(".js-plotly-plot .gtitle").all_text_contents()
    return titles, [url for url in asked if url != page.as_uri() and not url.startswith(("data:", "blob:"))]


def test_a_first_day_from_nothing_to_a_report(empty: Stack) -> None:
    done = empty.zumo("run", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"drill +(\d+) of \1 entries succeeded", done.stdout)
    assert re.search(r"^JupyterLab: http://127\.0\.0\.1:\d+/lab\?token=\w+$", done.stdout, re.MULTILINE)
    found = re.search(r"^Report: +(/\S.*\.html)$", done.stdout, re.MULTILINE)
    assert found
    titles, asked = charts(Path(found[1]))
    assert asked == [], "the page must work offline"
    text = "\n".join(titles)
    assert "succeeded" in text
    for finding in ("queues? |messages", "p95", "firings"):  # of depth, latency and density
        assert re.search(finding, text), text
    assert (Path(found[1]).parent.parent / "index.html").is_file()

    again = empty.zumo("run", timeout=300)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "drill" not in again.stdout, "its first day is over"
