"""What a runbook shows: the verdict first, everything as text, and a sentence where there is nothing."""

from __future__ import annotations

import pandas as pd

from zumolib.figures import runbooks as draw

HOSTILE = "<script>alert(1)</script>"


def diagnosis(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["cause", "found", "saw", "hint"])


def test_the_headline_names_each_cause_once() -> None:
    row = ("no worker consumes from a queue", "yes", "saw", "hint")
    shown = draw.diagnosis(diagnosis(row, row, ("an entry is disabled", "on purpose", "", "")))
    assert shown.headline == "Found: no worker consumes from a queue"
    assert "on purpose" in repr(shown)


def test_without_a_cause_there_is_nothing_to_do() -> None:
    shown = draw.diagnosis(diagnosis(("the broker does not answer", "no", "", "")))
    assert shown.headline.startswith("Nothing to do")
    assert "the broker does not answer" in shown._repr_html_()


def test_what_cannot_be_told_is_no_all_clear() -> None:
    shown = draw.diagnosis(diagnosis(("a task leaks", "inconclusive", "on another machine", "")))
    assert shown.headline == "Nothing found, but 1 cause could not be judged"


def test_what_others_wrote_is_shown_as_text() -> None:
    shown = draw.diagnosis(diagnosis((HOSTILE, "yes", HOSTILE, HOSTILE)))
    actions = draw.outcome(pd.DataFrame([(HOSTILE,)], columns=[HOSTILE]))
    for html in (shown._repr_html_(), actions._repr_html_()):
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_actions_without_a_row_are_a_sentence() -> None:
    nothing = pd.DataFrame(columns=["what was done"])
    assert "Nothing was changed" in draw.outcome(nothing)._repr_html_()
    assert "nothing will be done" in repr(draw.preview(nothing))


def test_a_queue_that_nobody_takes_from_is_the_title() -> None:
    frame = pd.DataFrame({"queue": ["hr", "ats"], "ready": [5, None], "workers": [0, 1]}).astype(
        {"ready": "Int64"}
    )
    figure = draw.consumers(frame)
    assert "Nobody takes from hr" in figure.layout.title.text
    assert "5 waiting, <b>no worker</b>" in figure.data[0].text
    assert "1 queues" not in draw.consumers(frame[1:]).layout.title.text


def test_lateness_names_the_latest_entry() -> None:
    figure = draw.lateness(pd.DataFrame({"entry": ["a", "b"], "late": [60.0, 7200.0]}))
    assert "2 entries are overdue, b by 2 h" in figure.layout.title.text


def test_memory_says_whether_it_grew() -> None:
    frame = pd.DataFrame({"seconds": [0.0, 1.0], "worker": "w", "pid": 7, "mb": [100.0, 300.0]})
    assert "1 process grew from 100 to 300 MB" in draw.memory(frame).layout.title.text


def test_stored_results_are_compared_with_the_limit() -> None:
    frame = pd.DataFrame({"what": ["results that expire", "all else"], "mb": [90.0, 5.0]})
    assert "95 % of 100 MB" in draw.stored(frame, limit=100.0).layout.title.text
    assert "no limit is set" in draw.stored(frame, limit=0.0).layout.title.text
