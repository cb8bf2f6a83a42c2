"""The embedded mail server's folder: every message a file, the newest of them."""

from __future__ import annotations

import contextlib
import time
from email.message import Message
from pathlib import Path

from aiosmtpd.handlers import Mailbox

MOST = 5_000  # messages kept
DAYS = 30  # for which one is kept
EVERY = 100  # messages after which it is looked


class Kept(Mailbox):
    """Keeps each message, and lets the oldest go. Only this process writes there, so it needs no job for it."""

    def __init__(self, mail_dir: str) -> None:
        super().__init__(Path(mail_dir))
        self._taken = 0

    def handle_message(self, message: Message) -> None:
        """Keep one more message."""
        if self._taken % EVERY == 0:
            self.tidy()
        self._taken += 1
        super().handle_message(message)

    def tidy(self) -> None:
        """Delete what is too old, and what is beyond the newest."""
        aged = []
        for file in (*Path(self.mail_dir, "new").iterdir(), *Path(self.mail_dir, "cur").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # a person deleted it meanwhile
                aged.append((file.stat().st_mtime, file))
        aged.sort(reverse=True)
        before = time.time() - DAYS * 86_400
        for rank, (at, file) in enumerate(aged):
            if rank >= MOST or at < before:
                file.unlink(missing_ok=True)
