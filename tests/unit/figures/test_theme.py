"""The theme: lean, without the cloud, one colour a queue and a state."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import plotly.io as pio
import pytest

import zumolib.figures
from zumolib.figures import theme
from zumolib.platform import queues

ALL_STATES = ("PENDING", "RECEIVED", "STARTED", "SUCCESS", "FAILURE", "RETRY", "REVOKED", "REJECTED")


def test_importing_the_package_makes_the_theme_the_default() -> None:
    assert zumolib.figures.theme is theme
    assert pio.templates.default == "zumo"
    assert pio.renderers.default == "plotly_mimetype"


def test_a_bar_chart_stays_small() -> None:
    assert len(go.Figure(go.Bar(x=[1, 2], y=[3, 4])).to_json()) < 2_500  # 7,000 with plotly's own template


def test_no_button_sends_data_anywhere() -> None:
    removed = go.Figure().layout.template.layout.modebar.remove
    assert {"sendChartToCloud", "sendDataToCloud"} <= set(removed)


def test_every_queue_of_the_platform_has_its_own_colour() -> None:
    colours = {queue.name: theme.queue_colour(queue.name) for queue in queues.QUEUES}
    assert set(colours) == set(theme.QUEUES)
    assert len(set(colours.values())) == len(colours)


def test_every_state_has_its_own_colour() -> None:
    assert len({theme.state_colour(state) for state in ALL_STATES}) == len(ALL_STATES)


def test_a_foreign_queue_keeps_its_colour() -> None:
    assert theme.queue_colour("video") == theme.queue_colour("video")
    assert theme.queue_colour("video") in theme.OTHERS


LIGHT, DARK = "#FFFFFF", "#111111"  # the grounds of JupyterLab's themes


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it: 1 to 21."""

    def luminance(colour: str) -> float:
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_the_ink_reads_on_light_and_dark(ground: str) -> None:
    assert contrast(theme.INK, ground) > 4


@pytest.mark.parametrize("colour", [*theme.QUEUES.values(), *theme.OTHERS])
def test_a_queues_colour_is_seen_on_dark_ground(colour: str) -> None:
    assert contrast(colour, DARK) > 3


def test_an_empty_figure_says_what_to_do() -> None:
    figure = json.loads(theme.empty("Nothing here", remedy="Run `zumo up`.", note="a source").to_json())
    assert "Nothing here" in figure["layout"]["title"]["text"]
    assert "zumo up" in figure["layout"]["annotations"][0]["text"]
