"""Tenants of skewed sizes, their users, employees and login sessions."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import date, datetime, timedelta

from tasks.demo import words
from tasks.demo.world import Dice, World
from tasks.models import Employee, LoginSession, Plan, Tenant, User

PLANS = (
    # slug, name, cents a month, users, open jobs, candidates, storage in MB
    ("starter", "Starter", 4_900, 3, 2, 50, 500),
    ("growth", "Growth", 19_900, 10, 5, 500, 5_000),
    ("business", "Business", 59_900, 100, 60, 20_000, 100_000),
    ("enterprise", "Enterprise", 249_000, None, None, None, None),
)
TENANTS = 40  # at scale 1
USERS = 400
EMPLOYEES = 450
SESSIONS = 1500
TURNING_POINTS = 2
SHARES = (("active", 26), ("trial", 7), ("past_due", 3), ("suspended", 1), ("expired", 2), ("cancelled", 1))
TRIAL_ENDS = (-1, 1, 3, 7, 9, -2)  # days from now
FIRST = ("active", "past_due", "active", "past_due", *["trial"] * 4)  # however small the data set is
ROLES = (("member", 60), ("manager", 16), ("recruiter", 14), ("hr", 10))


def make_tenants(world: World) -> int:
    """Plans and tenants; the first are large, most are small."""
    Plan.objects.bulk_create(
        [
            Plan(
                slug=slug,
                name=name,
                price_cents=cents,
                user_limit=users,
                job_limit=jobs,
                candidate_limit=candidates,
                storage_limit_mb=storage,
            )
            for slug, name, cents, users, jobs, candidates, storage in PLANS
        ],
        ignore_conflicts=True,
    )
    plans = list(Plan.objects.filter(slug__in=[row[0] for row in PLANS]).order_by("price_cents"))
    dice, taken = world.dice("tenants"), set(Tenant.objects.values_list("slug", flat=True))
    rows, trials = [], 0
    for rank in range(world.many(TENANTS)):
        name = f"{dice.choice(words.COMPANY)} {dice.choice(words.TRADE)} {dice.choice(words.FORM)}"
        slug = _free(slugged(name.rsplit(" ", 1)[0]), taken)
        state = FIRST[rank] if rank < len(FIRST) else world.pick(dice, SHARES)
        share = rank / world.many(TENANTS)
        plan = (
            plans[3] if share < 0.08 else plans[2] if share < 0.25 else plans[1] if share < 0.6 else plans[0]
        )
        ends = None
        if state == "trial":
            ends = world.now + timedelta(days=TRIAL_ENDS[trials % len(TRIAL_ENDS)])
            trials += 1
        if state == "expired":
            ends = world.now - timedelta(days=dice.randint(20, 90))
        rows.append(
            Tenant(
                name=name,
                slug=slug,
                email=f"accounts@{slug}.example",
                country=dice.choice(words.PLACES)[1],
                plan=plan,
                state=state,
                created_at=ends - timedelta(days=14) if ends else world.ago(dice, 60, 900),
                trial_ends_at=ends,
            )
        )
    world.tenants = world.save(rows)
    return len(rows)


def make_users(world: World) -> int:
    """Users, one administrator a tenant; the last tenant has signed up and has nobody yet."""
    dice = world.dice("users")
    rows: list[User] = []
    for tenant, count in world.shares(world.tenants[:-1], USERS, least=2):
        taken: set[str] = set()
        for number in range(count):
            name = person(dice)
            rows.append(
                User(
                    tenant=tenant,
                    email=f"{_free(slugged(name, '.'), taken)}@{tenant.slug}.example",
                    name=name,
                    role="admin" if number == 0 else world.pick(dice, ROLES),
                    is_active=number == 0 or dice.random() > 0.06,
                    created_at=max(tenant.created_at, world.ago(dice, 1, 700)),
                    last_login_at=world.recently(dice, 45),
                    daily_digest=dice.random() < 0.4,
                    password_changed_at=world.ago(dice, 0, 95),
                )
            )
    world.users = world.save(rows)
    return len(rows)


def make_employees(world: World) -> int:
    """Employees; some are users too, and each reports to an earlier one."""
    dice, logins = world.dice("employees"), world.by_tenant(world.users)
    rows: list[Employee] = []
    managers: list[tuple[Employee, Employee]] = []
    for tenant, count in world.shares(world.tenants, EMPLOYEES, least=1):
        team: list[Employee] = []
        taken: set[str] = set()
        for number in range(count):
            users = logins.get(tenant.pk, [])
            user = users[number] if number < len(users) else None
            name = user.name if user else person(dice)
            department = dice.choice(list(words.POSITIONS))
            hired = _hired(world, dice, len(rows) + number)
            left = hired + timedelta(days=dice.randint(200, 900)) if dice.random() < 0.07 else None
            left = left if left and left < world.now.date() else None
            row = Employee(
                tenant=tenant,
                user=user,
                name=name,
                email=user.email
                if user
                else f"{_free(slugged(name, '.') + '.staff', taken)}@{tenant.slug}.example",
                title=dice.choice(words.LEVELS) + dice.choice(words.POSITIONS[department]),
                department=department,
                state=_state(world.now, hired, left, dice.random()),
                hired_on=hired,
                left_on=left,
                probation_ends_on=hired + timedelta(days=90),
                born_on=hired - timedelta(days=dice.randint(19, 58) * 365),
                gender=world.pick(dice, words.GENDERS),
                origin=world.pick(dice, words.ORIGINS),
            )
            if team:
                managers.append((row, team[dice.randrange(len(team)) // 4]))
            team.append(row)
        rows += team
    world.employees = world.save(rows)
    for row, manager in managers:
        row.manager = manager
    Employee.objects.bulk_update([row for row, _ in managers], ["manager"], batch_size=2000)
    return len(rows) + _make_turning_points(world)


def _make_turning_points(world: World) -> int:
    """Employees whose probation has just ended or ends soon, and one whose five years are near.

    However small the data set is; nothing else hangs on them.
    """
    dice, today = world.dice("turning points"), world.now.date()
    rows = []
    for number in range(world.many(TURNING_POINTS)):
        tenant = world.tenants[number % len(world.tenants)]
        for what, hired in (
            ("over", today - timedelta(days=91)),
            ("ending", today - timedelta(days=85)),
            ("five", (today + timedelta(days=10)) - timedelta(days=5 * 365 + 1)),
        ):
            name = person(dice)
            department = dice.choice(list(words.POSITIONS))
            rows.append(
                Employee(
                    tenant=tenant,
                    name=name,
                    email=f"{slugged(name, '.')}.{what}{number}@{tenant.slug}.example",
                    title=dice.choice(words.POSITIONS[department]),
                    department=department,
                    state="active" if what == "five" else "probation",
                    hired_on=hired,
                    probation_ends_on=hired + timedelta(days=90),
                )
            )
    world.save(rows)
    return len(rows)


def make_sessions(world: World) -> int:
    """Login sessions: most of this week, a tail that was never cleaned."""
    dice = world.dice("sessions")
    rows = []
    for number in range(world.many(SESSIONS)):
        user = dice.choice(world.users)
        seen = world.recently(dice, 22)
        created = seen - timedelta(hours=dice.expovariate(1 / 30))
        rows.append(
            LoginSession(
                user=user,
                key=hashlib.sha256(f"{world.key}:{number}:{user.pk}".encode()).hexdigest(),
                created_at=created,
                last_seen_at=seen,
                expires_at=created + timedelta(days=dice.choice((1, 14, 14, 60))),
                address=address(dice),
                agent=dice.choice(words.AGENTS),
            )
        )
    world.save_in_order(rows, "created_at")
    return len(rows)


def person(dice: Dice) -> str:
    """A name."""
    return f"{dice.choice(words.FIRST)} {dice.choice(words.LAST)}"


def address(dice: Dice) -> str:
    """An address from the ranges kept for documentation."""
    return f"{dice.choice(('192.0.2', '198.51.100', '203.0.113'))}.{dice.randint(1, 254)}"


def slugged(text: str, joint: str = "-") -> str:
    """Plain lower-case letters: ``Zoë O’Brien`` becomes ``zoe.obrien``."""
    plain = unicodedata.normalize("NFKD", text.replace("Ł", "L").replace("ł", "l")).encode("ascii", "ignore")
    return joint.join(plain.decode().lower().replace("-", " ").split())


def _free(wanted: str, taken: set[str]) -> str:
    found, number = wanted, 2
    while found in taken:
        found, number = f"{wanted}{number}", number + 1
    taken.add(found)
    return found


def _state(now: datetime, hired: date, left: date | None, chance: float) -> str:
    if left:
        return "left"
    if (now.date() - hired).days <= 90:  # the one that ends today is still to be closed
        return "probation"
    return "leave" if chance < 0.04 else "active"


def _hired(world: World, dice: Dice, number: int) -> date:
    """A day of the last years; some have an anniversary today, some are on probation."""
    if number % 45 == 0:
        return (
            (world.now - timedelta(days=365.25 * dice.choice((1, 2, 5, 10))))
            .date()
            .replace(month=world.now.month, day=min(world.now.day, 28 if world.now.month == 2 else 31))
        )
    if number % 9 == 0:
        return (world.now - timedelta(days=dice.choice((90, 86, 30, 20, 10)))).date()
    return world.ago(dice, 5, 3000).date()
