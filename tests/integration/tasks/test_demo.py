"""The demo data is the same for the same seed, there once, and like the real thing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from tasks import demo
from tasks.base.money import ledger
from tasks.models import (
    Application,
    Campaign,
    Category,
    Consent,
    Contract,
    Document,
    Employee,
    Escrow,
    IdentityCheck,
    Interview,
    Invitation,
    Job,
    LoginAttempt,
    LoginSession,
    Message,
    Newsletter,
    Notification,
    OnboardingTask,
    PageView,
    Proposal,
    PublicApplication,
    Refund,
    SubscriptionChange,
    Tenant,
    TimeOffRequest,
    Token,
    User,
    Verification,
    Visit,
)
from tests.integration.tasks.state import flush, snapshot


def test_the_database_knows_how_full_its_tables_are(loaded: Any) -> None:
    asked = {
        "sqlite": "SELECT stat FROM sqlite_stat1 WHERE tbl = 'tasks_application' AND idx IS NOT NULL LIMIT 1",
        "postgresql": "SELECT reltuples::bigint::text FROM pg_class WHERE relname = 'tasks_application'",
    }
    with connection.cursor() as cursor:
        cursor.execute(asked[loaded.database])
        [known] = cursor.fetchone()
    assert int(known.split()[0]) == Application.objects.count()


def test_histories_lie_in_the_order_of_time(loaded: Any) -> None:
    histories = {LoginAttempt: "at", LoginSession: "created_at", PageView: "at", Visit: "at"}
    for model, moment in histories.items():
        moments = list(model.objects.order_by("pk").values_list(moment, flat=True))
        assert moments == sorted(moments)


def test_loading_twice_adds_nothing(platform: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    made = demo.load(scale=0.1, now=platform.now, progress=lambda *step: seen.append(step))
    assert made["loaded"]
    assert min(made["rows"].values()) > 0
    assert seen[-1] == ("ready", len(seen) - 1, len(seen) - 1)
    before = snapshot(platform)
    again = demo.load(scale=0.1, now=platform.now)
    assert (again["loaded"], again["rows"]) == (False, made["rows"])
    assert snapshot(platform) == before


def test_every_table_that_tasks_read_is_filled(platform: Any) -> None:
    demo.load(scale=0.6, now=platform.now)
    empty = {m._meta.model_name for m in apps.get_app_config("tasks").get_models() if not m.objects.exists()}
    assert empty == WRITTEN


# What only tasks write.
WRITTEN = {
    "anomaly",
    "archive",
    "block",
    "campaignmessage",
    "certificate",
    "contactsuggestion",
    "diversityfigure",
    "emailnotice",
    "integrityfinding",
    "invoiceline",
    "lease",
    "mail",
    "metric",
    "pipelinestatistic",
    "storedreport",
    "tenantusage",
    "timeoffaccrual",
    "usagealert",
}

# Work of each kind that waits in the data
WAITING: list[tuple[str, Callable[[datetime], Any]]] = [
    ("trials ended", lambda now: Tenant.objects.filter(state="trial", trial_ends_at__lte=now)),
    ("invitations ended", lambda now: Invitation.objects.filter(state="pending", expires_at__lte=now)),
    ("tokens ended", lambda now: Token.objects.filter(expires_at__lte=now)),
    (
        "identity checks ended",
        lambda now: IdentityCheck.objects.filter(state="verified", expires_at__lte=now),
    ),
    ("consents ended", lambda now: Consent.objects.filter(state="given", expires_at__lte=now)),
    ("verifications ended", lambda now: Verification.objects.filter(state="verified", expires_at__lte=now)),
    ("old login history", lambda now: LoginAttempt.objects.filter(at__lt=now - timedelta(days=180))),
    ("jobs past their end", lambda now: Job.objects.filter(state="open", closes_at__lte=now)),
    (
        "new for days",
        lambda now: Application.objects.filter(stage="new", touched_at__lt=now - timedelta(days=3)),
    ),
    ("interviews soon", lambda now: Interview.objects.filter(state="scheduled", starts_at__gt=now)),
    ("probation ends", lambda now: Employee.objects.filter(state="probation", probation_ends_on=now.date())),
    ("anniversaries", lambda now: Employee.objects.filter(hired_on__month=now.month, hired_on__day=now.day)),
    ("time off waits", lambda now: TimeOffRequest.objects.filter(state="pending")),
    ("onboarding late", lambda now: OnboardingTask.objects.filter(done_at=None, due_on__lt=now.date())),
    ("unsigned", lambda now: Document.objects.filter(state="pending", sign_by__lte=now)),
    ("public applications", lambda now: PublicApplication.objects.filter(state="waiting")),
    ("old page views", lambda now: PageView.objects.filter(at__lt=now - timedelta(days=90))),
    ("old visits", lambda now: Visit.objects.filter(at__lt=now - timedelta(days=90))),
    ("newsletter due", lambda now: Newsletter.objects.filter(state="scheduled", send_at__lte=now)),
    ("campaign due", lambda now: Campaign.objects.filter(state="scheduled", starts_at__lte=now)),
    ("notifications due", lambda now: Notification.objects.filter(state="scheduled", deliver_at__lte=now)),
    ("notifications failed", lambda now: Notification.objects.filter(state="failed")),
    (
        "old proposals",
        lambda now: Proposal.objects.filter(state="pending", created_at__lt=now - timedelta(days=30)),
    ),
    ("contracts to begin", lambda now: Contract.objects.filter(state="signed", starts_on__lte=now.date())),
    (
        "escrows to release",
        lambda now: Escrow.objects.filter(state="held", hold_until__lte=now, contract__state="completed"),
    ),
    ("refunds", lambda now: Refund.objects.filter(state="approved")),
    ("plan changes", lambda now: SubscriptionChange.objects.all()),
    ("old messages", lambda now: Message.objects.filter(sent_at__lt=now - timedelta(days=730))),
    ("messages on their way", lambda now: Message.objects.filter(state="sent")),
    ("categories without use", lambda now: Category.objects.filter(used_at__lt=now - timedelta(days=90))),
]


def test_work_of_every_kind_waits(platform: Any) -> None:
    demo.load(now=platform.now)
    assert [what for what, rows in WAITING if not rows(platform.now).exists()] == []


def test_other_sizes_come_on_top(platform: Any) -> None:
    for scale in (0.1, 0.2):
        assert demo.load(scale=scale, now=platform.now)["loaded"]
    assert Tenant.objects.count() == 12
    assert ledger.imbalance() == {}


def test_the_same_seed_gives_the_same_people(platform: Any) -> None:
    demo.load(scale=0.1, now=platform.now)
    first = list(User.objects.order_by("pk").values_list("email", "role", "created_at"))
    flush()
    demo.load(scale=0.1, now=platform.now)
    assert list(User.objects.order_by("pk").values_list("email", "role", "created_at")) == first


def test_a_load_that_breaks_leaves_nothing_in_the_database(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(world: Any) -> int:
        raise RuntimeError("broken")

    monkeypatch.setattr(demo, "STEPS", (*demo.STEPS[:5], ("broken", broken)))
    with pytest.raises(RuntimeError):
        demo.load(scale=0.1, now=platform.now)
    assert not Tenant.objects.exists()


@pytest.mark.parametrize("scale", [0, -1, 5000])
def test_scales_that_are_not_there_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"must be 0\.1 to 1000"):
        demo.load(scale=scale)
