"""Processes of this stack, also those that a killed supervisord left behind."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

MARK = "ZUMO_STACK"  # in the environment of every process of a stack: its ZUMO_HOME


def processes(home: Path) -> list[psutil.Process]:
    """All processes of the stack of `home`, but not the calling one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # somebody else's, or gone meanwhile: not one of ours to end
    return found


def within(home: Path) -> bool:
    """Whether the calling process was started by a process of the stack: in a terminal or a notebook of its lab."""
    for ancestor in psutil.Process().parents():
        try:
            if ancestor.environ().get(MARK) == str(home):
                return True
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # somebody else's: not one of ours
    return False


def end(home: Path, *, patience: float = 8.0) -> int:
    """End every process of the stack of `home`; those that do not listen are killed.

    Returns
    -------
    int
        How many there were.
    """
    first = processes(home)
    for process in first:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(first, timeout=patience)
    for process in {*stubborn, *processes(home)}:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=patience)
    return len(first)


def _signal(process: psutil.Process, how: str) -> None:
    try:
        getattr(process, how)()
    except psutil.NoSuchProcess:
        return  # it ended by itself
