from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the disk here: what a process wrote outlives the process anyway.

    That files are synced at all is seen by the tests that put a failing `fsync` in the place of this one.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)
