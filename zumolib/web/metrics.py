"""``/metrics``: what the workers counted and what the recorders say of themselves, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from zumolib.conf import conf
from zumolib.platform import metric_files
from zumolib.recorder import state as recorder_state
from zumolib.recorder.state import State


class WorkerFiles:
    """Sums the files that worker processes write below one folder.

    The library's own collector reads one flat folder. File names hold only a process id, which
    containers share, so each container's workers write to a folder of their own and all are read here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def collect(self) -> Iterable[Metric]:
        """Read every file anew; a folder that does not exist yet gives nothing."""
        try:
            return self._merge()
        except FileNotFoundError:  # a worker that starts clears its own folder while we read
            return self._merge()

    def _merge(self) -> Iterable[Metric]:
        with metric_files.reading(self.folder):
            files = sorted(str(file) for file in self.folder.rglob("*.db"))
            return MultiProcessCollector.merge(files, accumulate=True)


class Recorders:
    """What the recorders of a history said last.

    A figure that a recorder does not know is left out: it is unknown and not 0.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def collect(self) -> Iterable[Metric]:
        """Read every recorder's file anew."""
        at = datetime.now(UTC)
        states = recorder_state.read(self.folder, at)
        for name, text, value in _GAUGES:
            gauge = GaugeMetricFamily(f"zumo_recorder_{name}", text, labels=["recorder"])
            _fill(gauge, states, value)
            yield gauge
        for name, text, value in _COUNTERS:
            counter = CounterMetricFamily(f"zumo_recorder_{name}", text, labels=["recorder"])
            _fill(counter, states, value)
            yield counter


Value = Callable[[State], float | None]


def _fill(metric: Any, states: Iterable[State], value: Value) -> None:
    for state in states:
        found = value(state)
        if found is not None:
            metric.add_metric([state.name], found)


def _moment(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


_GAUGES: tuple[tuple[str, str, Value], ...] = (
    ("recording", "1 while events reach the disk, else 0.", lambda s: float(s.state == "recording")),
    ("lag_seconds", "Age of the oldest event of the last flush, in seconds.", lambda s: s.lag_seconds),
    ("events_per_second", "Events a second, mean of the last ten.", lambda s: s.events_per_second),
    ("last_flush_timestamp_seconds", "Time of the last flush, Unix.", lambda s: _moment(s.last_flush)),
    (
        "updated_timestamp_seconds",
        "When the recorder last said anything, Unix.",
        lambda s: _moment(s.updated),
    ),
    ("waiting_messages", "Messages at the broker that no recorder has taken.", lambda s: s.waiting),
    ("held_events", "Events taken that are not on disk yet.", lambda s: s.held),
)
_COUNTERS: tuple[tuple[str, str, Value], ...] = (
    ("events", "Events on disk since the recorder's start.", lambda s: s.events),
    ("malformed", "What was no event, kept aside.", lambda s: s.malformed),
    ("dropped", "Events that are known to be lost.", lambda s: s.dropped),
    ("reconnects", "Connections that were lost.", lambda s: s.reconnects),
)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give the metrics of all workers and recorders whose files this process can see."""
    registry = CollectorRegistry()
    registry.register(WorkerFiles(conf().ZUMO_HOME / "run" / "metrics"))
    registry.register(Recorders(conf().history_folder))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
