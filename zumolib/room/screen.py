"""A reading as HTML, section by section, so that only what changed is sent to the browser."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from zumolib.figures import theme
from zumolib.figures.words import counted, decimal, duration, named, number, records, short, shown
from zumolib.room.reading import LOOK, SHOWN, Reading

SECTIONS = ("health", "numbers", "queues", "lists", "foot")

MARKS = {  # told apart by shape as well as by colour
    "ok": ("●", theme.HEALTH["ok"]),
    "warning": ("▲", theme.HEALTH["warning"]),
    "down": ("■", theme.HEALTH["down"]),
    "unknown": ("?", theme.HEALTH["unknown"]),
}
SPARK = (150, 22)  # pixels
LEAST = 10  # messages; a sparkline's scale never zooms in on less
ALARMS = ("no worker takes from it", "nothing is started", "more comes than goes")


def sections(reading: Reading, zone: str = "UTC") -> dict[str, str]:
    """HTML by section."""
    made = {
        "health": _health(reading),
        "numbers": _numbers(reading),
        "queues": _queues(reading),
        "lists": _lists(reading, zone),
        "foot": _foot(reading, zone),
    }
    return {name: f'<div class="zumo-room">{html}</div>' for name, html in made.items()}


def page(reading: Reading, zone: str = "UTC") -> str:
    """All sections in one, for a notebook that runs without a person before it."""
    return f"{style()}{''.join(sections(reading, zone).values())}"


def plain(reading: Reading) -> str:
    """The same in a few lines of text."""
    lines = [f"{row.component}: {row.state} ({row.detail})" for row in records(reading.health)]
    lines += [f"{name}: {number(_known(value))}" for name, value in reading.numbers.items()]
    lines += [f"{row.queue}: {row.why}" for row in records(reading.queues)]
    return "\n".join(shown(line) for line in lines)


@cache
def style() -> str:
    """The stylesheet, as an element."""
    return f"<style>{(files('zumolib.room') / 'screen.css').read_text()}</style>"


def _health(reading: Reading) -> str:
    if reading.health.empty:
        return _lost(reading, "health")
    chips = []
    for row in records(reading.health):
        mark, colour = MARKS[row.state]
        remedy = f"<small>{_code(row.remedy)}</small>" if row.remedy else ""
        chips.append(
            f'<div class="chip" style="--zumo-edge:{colour}"><b><span class="mark">{mark}</span> '
            f"{escape(row.component)}: {escape(row.state)}</b>"
            f"<small>{escape(shown(row.detail, 160))}</small>{remedy}</div>"
        )
    return f'<div class="line">{"".join(chips)}</div>'


def _numbers(reading: Reading) -> str:
    colours = {"waiting": "RECEIVED", "running": "STARTED", "failed": "FAILURE", "late": "RETRY"}
    words = {
        "waiting": "messages wait",
        "running": "tasks run",
        "failed": "failed in the last hour",
        "late": "wait longer than their objective",
    }
    tiles = [
        f'<div class="tile" style="--zumo-edge:{theme.STATES[colours[name]]}">'
        f'<b>{number(_known(value))}</b><span class="soft">{words[name]}</span></div>'
        for name, value in reading.numbers.items()
    ]
    return f'<div class="line" style="margin-top:8px">{"".join(tiles)}</div>'


def _queues(reading: Reading) -> str:
    head = ("queue", "ready", "last 30 min", "in /min", "out /min", "oldest", "workers", "empty in", "")
    right = {1, 3, 4, 5, 6, 7}
    scale = _sparks(reading.past)
    rows = []
    for row in records(reading.queues):
        colour = theme.queue_colour(row.queue)
        alarm = row.why in ALARMS
        why = "" if row.why in ("empty", "quiet") else row.why
        rows.append(
            (
                f'<span style="color:{colour}">●</span> {escape(named(row.queue, 40))}',
                f"<b>{number(_known(row.ready))}</b>",
                scale.get(row.queue, ""),
                _rate(row.rate_in),
                _rate(row.rate_out),
                duration(row.oldest),
                number(_known(row.consumers)),
                "never" if row.drain == np.inf else "now" if row.drain == 0 else duration(row.drain),
                f'<span class="{"alarm" if alarm else "soft"}">{escape(why)}</span>',
            )
        )
    lost = _lost(reading, "depths")
    return f"<h4>Queues</h4>{lost}{_table(head, rows, right)}"


def _sparks(past: pd.DataFrame) -> dict[str, str]:
    """A line of the depth by queue."""
    if past.empty:
        return {}
    return {
        str(queue): _spark(_padded(its), theme.queue_colour(queue))
        for queue, its in past.groupby("queue", observed=True)
    }


def _padded(its: pd.DataFrame) -> np.ndarray:
    """Depth over all of the stretch shown, also where the history began within it."""
    values = its["ready"].to_numpy(dtype="float64")
    if len(values) < 2:
        return values
    wanted = int(LOOK / (its["at"].iloc[1] - its["at"].iloc[0]))
    return np.concatenate([np.full(max(wanted - len(values), 0), np.nan), values])


def _spark(values: np.ndarray, colour: str) -> str:
    width, height = SPARK
    highest = max(float(np.nanmax(values, initial=0.0)), LEAST)
    step = width / max(len(values), 1)
    base = height - 1
    parts: list[str] = []
    begun = False
    for n, value in enumerate(values):
        if np.isnan(value):
            parts += [f"V{base}"] if begun else []
            begun = False
            continue
        y = f"{base - value / highest * (height - 3):.1f}"
        parts += (
            [f"V{y}H{(n + 1) * step:.1f}"] if begun else [f"M{n * step:.1f} {base}V{y}H{(n + 1) * step:.1f}"]
        )
        begun = True
    parts += [f"V{base}"] if begun else []
    minutes = LOOK.total_seconds() / 60
    label = f"at most {number(float(np.nanmax(values, initial=0.0)))} ready in the last {minutes:g} min"
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{label}"><title>{label}</title>'
        f'<path d="{"".join(parts)}" fill="{theme.faded(colour, 0.25)}" stroke="{colour}" stroke-width="1.2"/></svg>'
    )


def _lists(reading: Reading, zone: str) -> str:
    running = [
        (_task(row.name, row.queue), escape(named(row.worker, 26)), duration(row.age))
        for row in records(reading.running.head(SHOWN))
    ]
    failing = [
        (_task(row.name, row.queue), escape(shown(short(row.error, 30))), number(row.count))
        for row in records(reading.failing.head(SHOWN))
    ]
    late = [
        (_task(row.name, row.queue), duration(row.wait), duration(row.within))
        for row in records(reading.late.head(SHOWN))
    ]
    parts = [
        _list(reading, "workers", "Running", ("task", "worker", "for"), running, len(reading.running), {2},
              "No task runs just now."),
        _list(reading, "history", "Failing, last hour", ("task", "error", "times"), failing,
              len(reading.failing), {2}, "No task failed in the last hour."),
        _list(reading, "history", "Late", ("task", "waits", "objective"), late, len(reading.late), {1, 2},
              "No task waits longer than its queue's objective."),
        _list(reading, "actions", "Last actions", ("when", "what", "by", ""), _actions(reading, zone),
              len(reading.actions), set(), "No action was taken yet."),
    ]  # fmt: skip
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _actions(reading: Reading, zone: str) -> list[tuple[str, ...]]:
    return [
        (
            f"{row.started_at.tz_convert(zone):%d %b %H:%M}",
            escape(shown(f"{row.action} {row.target}", 60)),
            escape(shown(row.actor, 24)),
            escape(str(row.state)),
        )
        for row in records(reading.actions.head(SHOWN))
    ]


def _list(
    reading: Reading,
    piece: str,
    title: str,
    head: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    total: int,
    right: set[int],
    empty: str,
) -> str:
    lost = _lost(reading, piece)
    if not lost and piece == "workers" and "depths" in reading.lost:
        lost = '<p class="soft">Not known while the broker does not answer.</p>'
    more = f' <span class="soft">, {total - SHOWN:,} more not shown</span>' if total > SHOWN else ""
    body = _table(head, rows, right) if rows else "" if lost else f'<p class="soft">{escape(empty)}</p>'
    return f"<h4>{escape(title)}{more}</h4>{lost}{body}"


def _task(name: object, queue: object) -> str:
    text = escape(named(name, 46)).replace("_", "_<wbr>").replace(".", ".<wbr>")
    return f'<span style="color:{theme.queue_colour(queue)}">●</span> {text}'


def _table(head: Sequence[str], rows: Sequence[tuple[str, ...]], right: set[int]) -> str:
    def cell(tag: str, position: int, content: str) -> str:
        kind = "right" if position in right else "wide" if position == 0 and tag == "td" else ""
        return f'<{tag} class="{kind}">{content}</{tag}>'

    titles = "".join(cell("th", n, escape(title)) for n, title in enumerate(head))
    body = "".join(f"<tr>{''.join(cell('td', n, text) for n, text in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _lost(reading: Reading, piece: str) -> str:
    reason = reading.lost.get(piece)
    if not reason:
        return ""
    return f'<p><span class="alarm">■ cannot be read:</span> {escape(shown(reason))}</p>'


def _foot(reading: Reading, zone: str) -> str:
    at = reading.at.astimezone(ZoneInfo(zone))
    replied = f"{reading.replied} of {counted(reading.expected, 'worker')} replied"
    return (
        f'<p class="soft">As of {at:%H:%M:%S} {escape(zone)}. Depth from the broker; running tasks from the '
        f"workers ({replied}); rates of the last 5 min, ages and failures from the recorded history.</p>"
    )


def _rate(value: float) -> str:
    return decimal(value) if value < 99.95 else number(value)


def _known(value: Any) -> float:
    return float("nan") if pd.isna(value) else float(value)


def _code(text: str) -> str:
    """Text as HTML, `commands` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
