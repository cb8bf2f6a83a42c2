"""How well an application fits its job: skills, experience, location, salary.

Each part is 0 to 1 and the score their weighted mean, 0 to 100. What nobody said (a candidate without an
expected salary, a job without skills) counts as half, so that silence neither wins nor loses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import inf

from django.db.models import Case, FloatField, Value, When

from tasks.models import Application, CandidateSkill, JobSkill

UNKNOWN = 0.5
REQUIRED, WELCOME = 2, 1  # what a skill counts
SALARY_REACH = 0.25  # above the job's highest salary by this share, the part is 0
# Columns that the score needs: a job's description may be long.
COLUMNS = (
    "tenant_id", "stage", "score", "job_id", "candidate_id", "job__location", "job__remote",
    "job__experience_years", "job__salary_max", "candidate__location", "candidate__experience_years",
    "candidate__salary_expected",
)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """How much each part counts; only their proportions matter."""

    skills: float = 50
    experience: float = 20
    location: float = 15
    salary: float = 15

    def __post_init__(self) -> None:
        given = asdict(self)
        if not all(0 <= weight < inf for weight in given.values()) or not any(given.values()):
            raise ValueError(f"weights {given} must be 0 or more, and one of them above 0")


@dataclass(frozen=True)
class Match:
    """The parts of one application's score, each 0 to 1."""

    skills: float
    experience: float
    location: float
    salary: float

    def score(self, weights: Weights) -> float:
        """The weighted mean, 0 to 100, with one digit."""
        by_part = asdict(weights)
        total = sum(part * by_part[name] for name, part in asdict(self).items())
        return round(100 * total / sum(by_part.values()), 1)


@dataclass(frozen=True)
class Skills:
    """What the jobs of some applications ask for and what their candidates have; two queries for all."""

    asked: dict[int, dict[int, int]]  # job: skill: what it counts
    had: dict[int, set[int]]  # candidate: skills

    @classmethod
    def of(cls, applications: Sequence[Application]) -> Skills:
        """Read them for these applications."""
        asked: dict[int, dict[int, int]] = defaultdict(dict)
        had: dict[int, set[int]] = defaultdict(set)
        jobs = {row.job_id for row in applications}
        for job, skill, required in _pairs(JobSkill.objects.filter(job__in=jobs), "job", "required"):
            asked[job][skill] = REQUIRED if required else WELCOME
        people = {row.candidate_id for row in applications}
        for person, skill, _ in _pairs(
            CandidateSkill.objects.filter(candidate__in=people), "candidate", "years"
        ):
            had[person].add(skill)
        return cls(asked, had)


def match(application: Application, skills: Skills) -> Match:
    """Hold an application (with its job and candidate) against its job."""
    job, person = application.job, application.candidate
    return Match(
        skills=_overlap(skills.asked.get(job.pk, {}), skills.had.get(person.pk, set())),
        experience=_experience(job.experience_years, person.experience_years),
        location=1.0 if job.remote else _same_place(job.location, person.location),
        salary=_salary(job.salary_max, person.salary_expected),
    )


def store(applications: Sequence[Application], at: datetime) -> None:
    """Write the scores of these applications, in one statement."""
    scores = Case(
        *(When(pk=row.pk, then=Value(row.score)) for row in applications), output_field=FloatField()
    )
    if applications:
        rows = Application.objects.filter(pk__in=[row.pk for row in applications])
        rows.update(score=scores, scored_at=at)


def _pairs(rows: object, owner: str, more: str) -> Iterable[tuple[int, int, int]]:
    return rows.values_list(owner, "skill", more).iterator(5000)  # type: ignore[attr-defined]


def _overlap(asked: dict[int, int], had: set[int]) -> float:
    if not asked:
        return UNKNOWN
    return sum(count for skill, count in asked.items() if skill in had) / sum(asked.values())


def _experience(asked: int, had: int | None) -> float:
    if not asked:
        return 1.0
    return UNKNOWN if had is None else min(1.0, had / asked)


def _same_place(job: str, person: str) -> float:
    here, there = (" ".join(place.split()).casefold() for place in (job, person))
    if not here or not there:
        return UNKNOWN
    return 1.0 if here == there else 0.0


def _salary(most: int | None, expected: int | None) -> float:
    if most is None or expected is None:
        return UNKNOWN
    if expected <= most:
        return 1.0
    over = expected / most - 1 if most else SALARY_REACH
    return max(0.0, 1 - over / SALARY_REACH)
