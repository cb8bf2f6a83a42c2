"""Jobs, candidates and their applications."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.people import person, slugged
from tasks.demo.world import Dice, World
from tasks.models import (
    Application,
    Candidate,
    CandidateSkill,
    Interview,
    Job,
    JobSkill,
    StageStay,
)

JOBS = 160  # at scale 1
CANDIDATES = 900
APPLICATIONS = 1300
STATES = (("open", 60), ("closed", 30), ("draft", 10))
STAGES = (
    ("new", 26),
    ("screening", 18),
    ("interview", 14),
    ("offer", 4),
    ("hired", 8),
    ("rejected", 25),
    ("withdrawn", 5),
)


def make_jobs(world: World) -> int:
    """Job postings, some past their closing date and still open."""
    dice = world.dice("jobs")
    rows, recruiters = [], world.by_tenant([u for u in world.users if u.role in ("recruiter", "admin")])
    for tenant, count in world.shares(world.tenants, JOBS, least=1):
        for _ in range(count):
            department = dice.choice(list(words.POSITIONS))
            state, created = world.pick(dice, STATES), world.ago(dice, 1, 120)
            low = dice.randint(28, 110) * 1000
            closes = None if dice.random() < 0.2 else created + timedelta(days=dice.choice((30, 45, 60, 90)))
            rows.append(
                Job(
                    tenant=tenant,
                    title=dice.choice(words.LEVELS) + dice.choice(words.POSITIONS[department]),
                    department=department,
                    location=dice.choice(words.PLACES)[0],
                    description=f"{department}. {dice.choice(words.LETTERS)}",
                    remote=dice.random() < 0.3,
                    recruiter=dice.choice(recruiters.get(tenant.pk, [None])),
                    experience_years=dice.randint(0, 8),
                    salary_min=low,
                    salary_max=low + dice.randint(5, 40) * 1000,
                    state=state,
                    created_at=created,
                    closes_at=closes,
                    closed_at=min(closes or world.now, world.now) if state == "closed" else None,
                )
            )
    world.jobs = world.save(rows)
    asked = [
        JobSkill(job=job, skill=skill, required=n < 2)
        for job in world.jobs
        for n, skill in enumerate(dice.sample(world.skills, 4))
    ]
    world.save(asked)
    return len(rows) + len(asked)


def make_candidates(world: World) -> int:
    """People who apply, each known to one tenant."""
    dice = world.dice("candidates")
    rows = []
    for tenant, count in world.shares(world.tenants, CANDIDATES, least=2):
        for number in range(count):
            name = person(dice)
            rows.append(
                Candidate(
                    tenant=tenant,
                    name=name,
                    email=f"{slugged(name, '.')}{number + 1}@mail.example",
                    location=dice.choice(words.PLACES)[0],
                    experience_years=dice.randint(0, 25) if dice.random() < 0.9 else None,
                    salary_expected=dice.randint(28, 130) * 1000 if dice.random() < 0.8 else None,
                    created_at=world.recently(dice, 50),
                )
            )
    world.candidates = world.save(rows)
    has = [
        CandidateSkill(candidate=candidate, skill=skill, years=dice.randint(1, 12))
        for candidate in world.candidates
        for skill in dice.sample(world.skills, dice.choice((1, 2, 3, 4)))
    ]
    world.save(has)
    return len(rows) + len(has)


def make_applications(world: World) -> int:
    """Applications in every stage, new and long untouched ones."""
    dice, jobs = world.dice("applications"), world.by_tenant(world.jobs)
    rows = []
    for tenant_id, people in world.by_tenant(world.candidates).items():
        pairs: set[tuple[int, int]] = set()
        for _ in range(max(2, round(len(people) * APPLICATIONS / CANDIDATES))):
            job, candidate = dice.choice(jobs[tenant_id]), dice.choice(people)
            if (job.pk, candidate.pk) in pairs or job.state == "draft":
                continue
            pairs.add((job.pk, candidate.pk))
            applied = max(job.created_at, world.recently(dice, 25))
            touched = applied + (world.now - applied) * dice.betavariate(1, 2)
            rows.append(
                Application(
                    tenant_id=tenant_id,
                    job=job,
                    candidate=candidate,
                    stage=world.pick(dice, STAGES),
                    applied_at=applied,
                    touched_at=touched,
                )
            )
    world.save(rows)
    stays = [stay for row in rows for stay in _stays(row)]
    world.save(stays)
    interviews = [_interview(world, dice, row) for row in rows if row.stage == "interview"]
    world.save(interviews)
    return len(rows) + len(stays) + len(interviews)


def _stays(row: Application) -> list[StageStay]:
    """The stages that an application went through, in equal parts of its time."""
    way = ["new", "screening", "interview", "offer", "hired"]
    passed = way[: way.index(row.stage) + 1] if row.stage in way else ["new", row.stage]
    step = (row.touched_at - row.applied_at) / len(passed)
    return [
        StageStay(
            application=row,
            stage=stage,
            entered_at=row.applied_at + step * n,
            left_at=row.applied_at + step * (n + 1) if stage != row.stage else None,
        )
        for n, stage in enumerate(passed)
    ]


def _interview(world: World, dice: Dice, row: Application) -> Interview:
    starts = world.now + timedelta(hours=dice.choice((-50, -3, 0.8, 5, 20, 23.8, 60)))
    return Interview(
        application=row,
        interviewer=row.job.recruiter,
        state="done" if starts < world.now else "scheduled",
        starts_at=starts,
        place="video call",
    )
