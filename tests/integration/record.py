"""A recorder process for tests: ``python -m tests.integration.record URL FOLDER NAME``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.integration import tiny
from zumolib.history import History
from zumolib.recorder.daemon import Recorder, stop_on_signals

if __name__ == "__main__":
    stop = threading.Event()
    stop_on_signals(stop)
    url, folder, name = sys.argv[1:]
    Recorder(tiny.make(url), History(Path(folder)), interval=0.2, depth_interval=0.5, name=name).run(stop)
