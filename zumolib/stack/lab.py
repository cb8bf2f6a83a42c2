"""How the embedded stack's JupyterLab looks, behaves and starts: ``python -m zumolib.stack.lab``."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from importlib.resources import files
from pathlib import Path

from zumolib import light
from zumolib.conf import conf, drop_from_environment
from zumolib.stack.orphans import MARK

KERNEL_FILE_SECONDS = 24 * 3_600.0

# By plugin and file; the first time only, so that what a person changes stays.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # One click from an open notebook to its answer, without the question whether to restart.
    "@jupyterlab/notebook-extension/panel": {
        "toolbar": [
            {
                "name": "run-all",
                "command": "notebook:run-all-cells",
                "icon": "ui-components:fast-forward",
                "label": "Run all",
                "caption": "Run all cells",
                "rank": 5,
            }
        ]
    },
    # A link to a notebook in this folder opens the notebook, rendered links open beside the index.
    "@jupyterlab/notebook-extension/tracker": {"scrollPastEnd": False},
}


def write(folder: Path) -> None:
    """Put settings and stylesheet below JupyterLab's own folder of the stack."""
    for name, values in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(json.dumps(values, indent=2) + "\n")
    style = folder / "config" / "custom" / "custom.css"
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_text((files("zumolib.stack") / "lab.css").read_text())


def forget_kernels(runtime: Path, before: float) -> None:
    """Delete what servers and kernels that were killed left of themselves; none is ours to keep at a start."""
    for path in [*runtime.glob("kernel-*.json"), *runtime.glob("jpserver-*")]:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def main() -> None:
    """Be JupyterLab. What people start in its terminals and notebooks is theirs: it does not carry our mark."""
    drop_from_environment(MARK)
    forget_kernels(conf().ZUMO_HOME / "jupyter" / "runtime", time.time() - KERNEL_FILE_SECONDS)
    with light.imports():
        from jupyterlab.labapp import main as serve

    sys.exit(serve())


if __name__ == "__main__":
    main()
