"""Every error that this project raises on purpose.

::

    ZumoError                 what a person can act on: one line, exit code 1
    ├── ConfError             a setting has a wrong value (exit code 2)
    ├── InputError            an argument, a parameter or a file is wrong (exit code 2)
    ├── StackError            the embedded services cannot start, or stop
    ├── BrokerError           the broker or the result backend does not answer
    ├── ScheduleError         an entry cannot be installed
    ├── HistoryError          the history cannot be written or read
    ├── ReportError           a notebook failed; what was made is kept
    ├── ReadOnly              an action is refused, nothing was touched
    └── ControlError          an action failed or broke off; its receipt says what was done

A message names the value and says what to do next. The docstring of a class is its default message.
"""

from __future__ import annotations


class ZumoError(Exception):
    """Something went wrong that a person can mend."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfError(ZumoError):
    """A setting has a wrong value."""

    exit_code = 2


class InputError(ZumoError):
    """An argument, a parameter or a file is wrong."""

    exit_code = 2


class StackError(ZumoError):
    """The embedded services cannot start or stop."""


class BrokerError(ZumoError):
    """The broker or the result backend does not answer."""


class ScheduleError(ZumoError):
    """An entry cannot be installed."""


class HistoryError(ZumoError):
    """The history cannot be written or read."""


class ReportError(ZumoError):
    """A notebook failed; what was made is kept."""


class ReadOnly(ZumoError):
    """Actions on the running system are refused here."""


class ControlError(ZumoError):
    """An action failed or broke off; its receipt says what was done."""

    def __init__(self, message: str | None = None, *, receipt: int | None = None) -> None:
        super().__init__(message)
        self.receipt = receipt  # id of the receipt


class CannotTell(Exception):
    """What a check needs to know is not told here; the message says why, and what would make it known."""
