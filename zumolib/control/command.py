"""Commands to workers, and what each answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zumolib.inspection import remote

if TYPE_CHECKING:
    from celery import Celery

PATIENCE = 5.0  # seconds for answers: a worker that is too busy to answer soon still carries out the command


@dataclass(frozen=True)
class Answer:
    """What one node said to one command."""

    node: str
    said: Any  # None: it stayed silent

    @property
    def ok(self) -> bool:
        """Whether it agreed."""
        return self.said is not None and not (isinstance(self.said, dict) and "error" in self.said)

    @property
    def text(self) -> str:
        """What it said, as text."""
        if self.said is None:
            return "no reply; silence is not death"
        if isinstance(self.said, dict):
            return str(self.said.get("error") or self.said.get("ok") or self.said)
        return str(self.said)


def give(
    app: Celery,
    name: str,
    arguments: Mapping[str, Any],
    *,
    nodes: Sequence[str],
    timeout: float = PATIENCE,
    to_all: bool = False,
) -> list[Answer]:
    """Give one command to nodes; an answer a node, in the order of `nodes`, others after them."""
    said = remote.ask(app, {name: arguments}, nodes=nodes, timeout=timeout, to_all=to_all)[name]
    return [Answer(node, said.get(node)) for node in (*nodes, *sorted(set(said) - set(nodes)))]
