"""A recorder process for tests: ``python -m tests.integration.record URL FOLDER NAME``."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from tests.integration import tiny
from zumolib.history import History
from zumolib.recorder import Recorder

if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    url, folder, name = sys.argv[1:]
    Recorder(tiny.make(url), History(Path(folder)), interval=0.2, depth_interval=0.5, name=name).run(stop)
