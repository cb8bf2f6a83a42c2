"""What a process logs, without what must not be seen: messages, their arguments, and tracebacks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from zumolib.masking.text import mask_text


class Masking(logging.Filter):
    """Hides what is secret in every record that passes; put it on a handler, so that no logger goes past it."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__()
        self.keys = tuple(keys)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if not self.keys:
            return True
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a wrong format or a broken __str__
            # The handler would write the arguments as they are.
            what = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            message = f"{what} (cannot be shown: {type(error).__name__})"
            record.msg, record.args = message, ()
        shown = mask_text(message, self.keys)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = _FORMAT.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask_text(record.exc_text, self.keys)
        if record.stack_info:
            record.stack_info = mask_text(record.stack_info, self.keys)
        return True


_FORMAT = logging.Formatter()


def mask_handlers(keys: Sequence[str], logger: logging.Logger | None = None) -> None:
    """Hide what is secret in all that this logger's present handlers write; the root's by default."""
    for handler in (logger or logging.getLogger()).handlers:
        if not any(isinstance(known, Masking) for known in handler.filters):
            handler.addFilter(Masking(keys))


def mask_tracebacks(keys: Sequence[str]) -> None:
    """Hide what is secret in the traceback of an exception that ends this process."""
    import traceback

    def show(kind: type[BaseException], error: BaseException, trace: object) -> None:
        text = "".join(traceback.format_exception(error))
        sys.stderr.write(mask_text(text, keys))

    sys.excepthook = show
