"""Events that a recorder has taken and not yet put on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from zumolib.masking import Hidden
from zumolib.masking.table import mask_table, mask_texts
from zumolib.recorder import columns
from zumolib.recorder.columns import Message, Refused

logger = logging.getLogger(__name__)

# Messages are turned into columns in portions of at most so many, or so many bytes: the dictionaries in
# between take ten times the room of either.
PORTION = 2_000
PORTION_BYTES = 4_000_000


class Held:
    """Messages, the latest as they came and all others as columns, with what is secret hidden.

    Parameters
    ----------
    keys
        Under which values are hidden.
    arguments
        Which positional arguments are hidden, by the name of the task.
    """

    def __init__(self, keys: Sequence[str] = (), arguments: Mapping[str, Hidden] | None = None) -> None:
        self.keys = tuple(keys)
        self.arguments = dict(arguments or {})
        self.rows = 0  # events in columns
        self._tables: list[pa.Table] = []
        self._messages: list[Message] = []
        self._bytes = 0

    def add(self, messages: Iterable[Message]) -> list[Refused]:
        """Hold messages; gives those that turned out to be no events."""
        refused: list[Refused] = []
        for message in messages:
            self._messages.append(message)
            self._bytes += len(message.body)
            if len(self._messages) >= PORTION or self._bytes >= PORTION_BYTES:
                refused += self.convert()
        return refused

    def convert(self) -> list[Refused]:
        """Turn what is left into columns; gives what was no event."""
        if not self._messages:
            return []
        messages, self._messages, self._bytes = self._messages, [], 0
        return self._take_in(messages)

    def _take_in(self, messages: list[Message]) -> list[Refused]:
        """Turn these into columns; when something in them breaks that, find it by halving and set it aside."""
        try:
            found = columns.find(messages)
            hidden = mask_table(found.table, self.keys, self.arguments)
            # A reason may quote what could not be read.
            shown = iter(mask_texts([text for one in found.refused for text in one], self.keys))
            refused = [Refused(raw, reason) for raw, reason in zip(shown, shown, strict=True)]
        except Exception as error:
            # Whatever a sender finds that we did not think of: it costs its own message and no other one.
            if len(messages) == 1:
                logger.exception("An event could not be taken in and is set aside")
                size = len(messages[0].body)
                return [Refused(f"({size:,} bytes, not kept)", f"not taken in: {type(error).__name__}")]
            half = len(messages) // 2
            return self._take_in(messages[:half]) + self._take_in(messages[half:])
        if hidden.num_rows:
            self._tables.append(hidden)
            self.rows += hidden.num_rows
        return refused

    def table(self) -> pa.Table | None:
        """All events in columns; None when there are none."""
        return pa.concat_tables(self._tables) if self._tables else None

    def drop(self, excess: int) -> int:
        """Forget the oldest events, so many of them; returns how many."""
        left = excess
        while left > 0 and self._tables:
            first = self._tables.pop(0)
            gone = min(left, first.num_rows)
            if gone < first.num_rows:
                self._tables.insert(0, first.slice(gone))
            left -= gone
            self.rows -= gone
        return max(excess, 0) - max(left, 0)

    def clear(self) -> None:
        """Forget all events in columns."""
        self._tables = []
        self.rows = 0
