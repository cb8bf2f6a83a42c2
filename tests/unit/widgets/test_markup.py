from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from zumolib.widgets import markup

#   what comes                      what is shown
SHOWN = [
    ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
    ("a\x1b[31mred", "a␛[31mred"),
    ("a\x00b\x07", "a␀b␇"),
    ("evil\u202etxt.exe", "evil\ufffdtxt.exe"),
    ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ("é 漢 🎉", "é 漢 🎉"),
    ("\"quoted\" & 'so'", "&quot;quoted&quot; &amp; &#x27;so&#x27;"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_nothing_acts_on_what_is_shown(text: str, shown: str) -> None:
    assert markup.html(text) == shown


def test_a_megabyte_is_cut_with_a_note() -> None:
    shown = markup.html("<script>" * 131_072, limit=80)
    assert shown.endswith("… (cut, 1,048,576 characters)")
    assert shown.count("&lt;script&gt;") == 10


FRAME = pd.DataFrame(
    {
        "task_name": ["a<b", "c"],
        "count": [12_345, 2],
        "age": [200.0, np.nan],
        "since": pd.to_datetime(["2026-11-18T06:30:00Z", None], utc=True),
        "queues": [("hr", "ats"), ()],
        "empty": [None, None],
    }
)


def test_values_are_said_as_people_say_them_in_their_zone() -> None:
    spoken = markup.spoken(FRAME, zone="Asia/Tokyo")
    assert list(spoken) == ["task name", "count", "age", "since (Asia/Tokyo)", "queues"]
    assert list(spoken.iloc[0]) == ["a<b", "12,345", "3 min 20 s", "18\u00a0Nov\u00a015:30:00", "hr, ats"]
    assert list(spoken.iloc[1]) == ["c", "2", "–", "–", ""]


def test_a_static_table_is_escaped_and_says_what_it_leaves_out() -> None:
    many = pd.DataFrame({"name": [f"<i>{n}</i>" for n in range(25)]})
    html = markup.static(many, empty="nothing")._repr_html_()
    assert "<i>" not in html
    assert html.count("<tr>") == 21  # the head, and 20 rows
    assert markup.rest(many) == "and 5 more"


def test_a_sentence_begins_with_a_capital_unless_a_name_begins_it() -> None:
    assert markup.sentence("revoke 2 tasks", "shop.pay") == "Revoke 2 tasks"
    assert markup.sentence("nightly: every 5 minutes", "nightly") == "nightly: every 5 minutes"
    assert markup.sentence("") == ""
