"""Ports for the servers of tests."""

from __future__ import annotations

from zumolib.stack.plan import free_ports


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, outside of those of outgoing connections."""
    return free_ports(("test",))["test"]
