"""What was observed after an action: the verdict, the evidence, when, and how long it can be relied on.

One record, written into the receipt and shown with the same words wherever a receipt is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

UNTIL_RESTART = "until that worker restarts"
UNTIL_EDITED = "until somebody edits the row"
VERIFIED, NOT_VERIFIED, UNKNOWN = "verified", "not verified", "unknown"


@dataclass(frozen=True)
class Observation:
    """One look at what an action was to bring about."""

    verdict: str  # verified, not verified or unknown
    observed: str  # the evidence, as a clause
    at: datetime | None = None  # UTC; None: nobody looked
    lasting: str = ""  # until when it can be relied on; empty: until somebody changes it

    @classmethod
    def of(cls, effect: bool | None, observed: str, *, lasting: str = "") -> Observation:
        """What was observed just now.

        Parameters
        ----------
        effect
            Whether the effect was seen; None where what was seen does not tell.
        """
        verdict = {True: VERIFIED, False: NOT_VERIFIED, None: UNKNOWN}[effect]
        return cls(verdict, observed, datetime.now(UTC), lasting)

    def __str__(self) -> str:
        when = f" (looked at {self.at:%H:%M:%S} UTC)" if self.at is not None else ""
        return f"{self.verdict}: {self.observed}{when}" + (f"; {self.lasting}" if self.lasting else "")


UNSEEN = Observation(UNKNOWN, "it ended before its effect was looked at")


def of_nodes(agree: int, total: int, what: str) -> str:
    """``2 of 2 workers hold the revoke``, ``1 of 1 worker holds the revoke``; `what` begins with a verb."""
    if agree == 1:
        verb, _, rest = what.partition(" ")
        what = f"{'does' if verb == 'do' else f'{verb}s'} {rest}"
    return f"{agree:,} of {total:,} {'worker' if total == 1 else 'workers'} {what}"
