"""A check, what it found, and the diagnosis that a list of checks makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.errors import CannotTell

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

SEVERITIES = ("error", "warning", "note")  # work stands still; will stand still; on purpose
INCONCLUSIVE = "inconclusive"
HIDDEN = "as long as"
COLUMNS = ("cause", "found", "saw", "hint")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    id: str  # of the check
    subject: str  # queue, worker, task or entry; empty for the deployment as a whole
    saw: str  # one sentence
    hint: str  # what to do
    severity: str = "error"
    facts: dict[str, Any] = field(default_factory=dict, compare=False)  # for the cure

    def __str__(self) -> str:
        return f"{self.id} ({self.subject})" if self.subject else self.id


@dataclass(frozen=True)
class Check:
    """One question to a deployment.

    A cause hides those behind it: with the broker gone no worker replies either. So a check names the
    checks that come before it; when one of those found something, this one cannot be told, and says so.
    """

    id: str
    cause: str  # what it finds, as a clause: "the broker does not answer"
    look: Callable[[Scene], Iterable[Finding]]
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What became of one check."""

    check: Check
    findings: tuple[Finding, ...] = ()
    untold: str = ""  # why it cannot be told; empty where it can

    @property
    def found(self) -> str:
        """``yes``, ``no``, ``on purpose`` or ``inconclusive``."""
        if self.untold:
            return INCONCLUSIVE
        if not self.findings:
            return "no"
        return "on purpose" if all(f.severity == "note" for f in self.findings) else "yes"


@dataclass(frozen=True)
class Diagnosis:
    """All verdicts, in the order of the checks."""

    verdicts: tuple[Verdict, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong; what was done on purpose is left out."""
        return tuple(f for v in self.verdicts for f in v.findings if f.severity != "note")

    def still(self, findings: Iterable[Finding]) -> Diagnosis:
        """With findings that stand, as their cure had no effect, though their checks find nothing yet."""
        standing = {finding.id: finding for finding in findings}
        return Diagnosis(
            tuple(
                replace(verdict, findings=(standing[verdict.check.id],))
                if verdict.check.id in standing and not verdict.findings
                else verdict
                for verdict in self.verdicts
            )
        )

    @property
    def verdict(self) -> str:
        """One line: the causes by name, and what could not be judged; without either, that there is nothing to do."""
        unknown = [f"{INCONCLUSIVE}: {v.check.id} ({v.untold})" for v in self.inconclusive]
        return "; ".join([*map(str, self.findings), *unknown]) or "nothing to do"

    @property
    def inconclusive(self) -> tuple[Verdict, ...]:
        """Checks that could not read what they judge; those that only stand behind a finding are left out."""
        return tuple(v for v in self.verdicts if v.untold and not v.untold.startswith(HIDDEN))

    @property
    def frame(self) -> pd.DataFrame:
        """One row a finding, or a check without one: ``cause``, ``found``, ``saw``, ``hint``."""
        rows = []
        for verdict in self.verdicts:
            for finding in verdict.findings or (None,):
                saw, hint = (finding.saw, finding.hint) if finding else (verdict.untold, "")
                rows.append((verdict.check.cause, verdict.found, saw, hint))
        return pd.DataFrame(rows, columns=list(COLUMNS))


def diagnose(scene: Scene, checks: Sequence[Check]) -> Diagnosis:
    """Ask all checks, in their order."""
    verdicts: dict[str, Verdict] = {}
    for check in checks:
        hidden = [verdicts[id_] for id_ in check.after if id_ in verdicts and _hides(verdicts[id_])]
        if hidden:
            verdicts[check.id] = Verdict(check, untold=f"{HIDDEN} {hidden[0].check.cause}")
            continue
        try:
            verdicts[check.id] = Verdict(check, tuple(check.look(scene)))
        except CannotTell as reason:
            verdicts[check.id] = Verdict(check, untold=str(reason))
    return Diagnosis(tuple(verdicts.values()))


def _hides(verdict: Verdict) -> bool:
    return bool(verdict.findings) or verdict.untold.startswith(HIDDEN)
