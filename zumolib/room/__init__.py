"""Live views of the running system: what a notebook shows and renews in place."""

from __future__ import annotations

from zumolib.room.room import ControlRoom

__all__ = ["ControlRoom"]
