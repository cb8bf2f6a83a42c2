"""What a task raises on purpose.

::

    TaskError
    ├── MissingTool     a program that the task needs is not installed
    ├── DumpError       a backup could not be made or did not pass its check
    ├── ArchiveError    an archive does not hold what was written to it
    ├── MailingRefused  the mailing provider does not accept a request
    ├── FeedError       a feed cannot be read, or is none
    └── UnknownRow      the row that the task was called for is not there

These are permanent: trying again without a change gives the same. What may pass by itself (a refused
connection, a time-out, a locked database) is raised as it came, and the base task tries it again.
"""

from __future__ import annotations


class TaskError(Exception):
    """The task cannot do its work; the message says what to change."""


class MissingTool(TaskError):
    """A program that the task needs is not installed."""


class DumpError(TaskError):
    """A backup could not be made or did not pass its check."""


class ArchiveError(TaskError):
    """An archive does not hold what was written to it."""


class MailingRefused(TaskError):
    """The mailing provider does not accept a request."""


class FeedError(TaskError):
    """A feed cannot be read, or is none."""


class UnknownRow(TaskError):
    """The row that the task was called for is not there."""
