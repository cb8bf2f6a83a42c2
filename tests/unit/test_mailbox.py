"""The embedded mail server keeps the newest messages only."""

from __future__ import annotations

import os
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from zumolib.stack import mailbox


def test_old_and_surplus_messages_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MOST", 3)
    monkeypatch.setattr(mailbox, "EVERY", 1)
    kept = mailbox.Kept(str(tmp_path / "Maildir"))
    letter = EmailMessage()
    letter["Subject"] = "x"
    new = tmp_path / "Maildir" / "new"
    kept.handle_message(letter)
    [old] = new.iterdir()
    long_ago = time.time() - (mailbox.DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    kept.handle_message(letter)
    assert not old.exists()
    for _ in range(6):
        kept.handle_message(letter)
    kept.tidy()
    assert len(list(new.iterdir())) == 3
