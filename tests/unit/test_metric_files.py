"""What dead processes counted is kept, their files are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from zumolib.conf import child_environment
from zumolib.platform import metric_files
from zumolib.web.metrics import WorkerFiles

COUNT = """
import sys
from prometheus_client import Counter, Histogram
Counter("runs", "Runs.", ["task"]).labels("a").inc(int(sys.argv[1]))
Histogram("seconds", "Run time.", buckets=(1, 2)).observe(1.5)
if len(sys.argv) > 2:
    print("counted", flush=True)
    sys.stdin.read()
"""


def values(folder: Path) -> dict[str, float]:
    samples = [sample for metric in WorkerFiles(folder).collect() for sample in metric.samples]
    return {sample.name + str(sorted(sample.labels.items())): sample.value for sample in samples}


def test_files_of_dead_processes_are_added_up(tmp_path: Path) -> None:
    env = child_environment({"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    command = [sys.executable, "-c", COUNT]
    for count in (1, 2, 4):
        subprocess.run([*command, str(count)], env=env, check=True)
    with subprocess.Popen(
        [*command, "8", "stay"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as lives:
        assert lives.stdout is not None
        lives.stdout.readline()
        before = values(tmp_path)
        assert before["runs_total[('task', 'a')]"] == 15
        assert metric_files.add_up(tmp_path) == 6
        assert values(tmp_path) == before
        kept = {f"{kind}_{pid}.db" for kind in ("counter", "histogram") for pid in (0, lives.pid)}
        assert {file.name for file in tmp_path.glob("*.db")} == kept
        lives.communicate()
    assert metric_files.add_up(tmp_path) == 2
    assert values(tmp_path) == before
    assert metric_files.add_up(tmp_path) == 0
