"""Jobs, candidates and their applications."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.people import person, slugged
from tasks.demo.world import World
from tasks.models import Application, Candidate, Job

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
    rows = []
    for tenant, count in world.shares(world.tenants, JOBS, least=1):
        for _ in range(count):
            department = dice.choice(list(words.POSITIONS))
            state, created = world.pick(dice, STATES), world.ago(dice, 1, 120)
            closes = None if dice.random() < 0.2 else created + timedelta(days=dice.choice((30, 45, 60, 90)))
            rows.append(
                Job(
                    tenant=tenant,
                    title=dice.choice(words.LEVELS) + dice.choice(words.POSITIONS[department]),
                    department=department,
                    location=dice.choice(words.PLACES)[0],
                    state=state,
                    created_at=created,
                    closes_at=closes,
                    closed_at=min(closes or world.now, world.now) if state == "closed" else None,
                )
            )
    world.jobs = world.save(rows)
    return len(rows)


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
                    created_at=world.recently(dice, 50),
                )
            )
    world.candidates = world.save(rows)
    return len(rows)


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
    return len(rows)
