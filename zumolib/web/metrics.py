"""``/metrics``: what the workers counted, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from zumolib.conf import conf


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
        files = sorted(str(file) for file in self.folder.rglob("*.db"))
        return MultiProcessCollector.merge(files, accumulate=True)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give the metrics of all workers whose files this process can see."""
    registry = CollectorRegistry()
    registry.register(WorkerFiles(conf().ZUMO_HOME / "run" / "metrics"))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
