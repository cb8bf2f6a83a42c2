"""An embedded stack in a folder of its own, driven as a person drives it: by the `zumo` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass
class Stack:
    """One home and the commands that are run on it."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ZUMO_HOME": str(self.home),
            "ZUMO_REPORTS": str(self.home / "reports"),
            **self.extra,
        }

    def run(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def zumo(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "zumolib", *arguments, timeout=timeout)

    def celery(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "celery", "-A", "zumolib", *arguments)

    def python(self, code: str) -> Any:
        """Run code that prints JSON in a process that has the stack's settings."""
        done = self.run(sys.executable, "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def status(self) -> dict[str, Any]:
        return json.loads(self.zumo("status", "--json").stdout)  # type: ignore[no-any-return]

    def service(self, name: str) -> dict[str, Any]:
        return next(service for service in self.status()["services"] if service["name"] == name)

    def plan(self) -> dict[str, Any]:
        return json.loads((self.home / "stack.json").read_text())  # type: ignore[no-any-return]

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("ZUMO_STACK") == str(self.home):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return found

    def log(self, name: str) -> str:
        path = self.home / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""
