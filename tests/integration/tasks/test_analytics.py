"""Figures by day, week and month, diversity without persons, the daily report, page views put away."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.analytics import daily_report, diversity
from tasks.analytics import tasks as analytics
from tasks.base import archives, metrics
from tasks.models import (
    Application,
    Archive,
    Candidate,
    DiversityFigure,
    Employee,
    Invoice,
    Job,
    LoginAttempt,
    Metric,
    PageView,
    Payment,
    StageStay,
    StoredReport,
    Tenant,
    User,
)
from tasks.zumodra import tasks as zumodra
from tests.integration.tasks import report, rows

YESTERDAY = date(2026, 11, 21)


def figures(period: str = "day", start: date = YESTERDAY, **of: Any) -> dict[str, float]:
    found = Metric.objects.filter(period=period, start=start, **of or {"tenant": None})
    return dict(found.values_list("name", "value"))


def hiring(owner: Tenant, *moments: datetime) -> None:
    """A job of long ago with an application and a hire at each moment."""
    job = Job.objects.create(tenant=owner, title="Cook", created_at=datetime(2026, 1, 1, tzinfo=metrics.UTC))
    for number, at in enumerate(moments):
        person = Candidate.objects.create(tenant=owner, name="N", email=f"c{number}@x.example", created_at=at)
        application = Application.objects.create(
            tenant=owner, job=job, candidate=person, applied_at=at, touched_at=at
        )
        StageStay.objects.create(application=application, stage="hired", entered_at=at)


@pytest.fixture
def edges(platform: Any) -> tuple[datetime, ...]:
    """Just before yesterday, its first and its last instant, and the first of today."""
    first, after = metrics.midnight(YESTERDAY), metrics.midnight(YESTERDAY + metrics.DAY)
    tick = timedelta(microseconds=1)
    return first - tick, first, after - tick, after


def test_a_day_counts_from_midnight_to_midnight_for_its_tenant(platform: Any, edges: Any) -> None:
    owner, other, idle = rows.tenant(), rows.tenant(), rows.tenant()
    hiring(owner, *edges)
    hiring(other, edges[1])
    for at in edges:
        payment = {"payment_method": "pm", "amount_cents": 500, "settled_at": at}
        Payment.objects.create(tenant=owner, state="succeeded", **payment)
        Payment.objects.create(tenant=owner, state="succeeded", currency="eur", **payment)
        Payment.objects.create(tenant=owner, state="failed", **payment)
    for state in ("open", "void"):
        Invoice.objects.create(
            tenant=owner, number=state, amount_cents=70, state=state, issued_at=edges[1], due_at=edges[3]
        )
    people = [rows.user(owner, created_at=edges[0]) for _ in range(2)]
    for person in (*people, people[0], None):
        PageView.objects.create(tenant=owner, user=person, path="/", at=edges[1])
    for succeeded, person in ((True, people[0]), (False, people[0]), (True, None)):
        LoginAttempt.objects.create(
            user=person, email="x", address="192.0.2.1", succeeded=succeeded, at=edges[2]
        )
    summary = analytics.calculate_daily_metrics(now=platform.now)
    assert (summary["day"], summary["days"]) == ("2026-11-21", 1)
    expected = {
        "hiring.applications": 2,
        "hiring.candidates": 2,
        "hiring.hires": 2,
        "revenue.paid_cents_usd": 1000,
        "revenue.paid_cents_eur": 1000,
        "revenue.invoiced_cents_usd": 70,
        "activity.logins": 1,
        "activity.page_views": 4,
        "activity.active_people": 2,
    }
    assert figures(tenant=owner) == expected
    assert figures(tenant=other) == {"hiring.applications": 1, "hiring.candidates": 1, "hiring.hires": 1}
    assert figures(tenant=idle) == {}
    whole = figures()
    assert whole["hiring.hires"] == 3
    assert whole["hiring.offers"] == 0  # the platform has every figure, so that a known day is known


def test_a_day_can_be_computed_again(platform: Any, edges: Any) -> None:
    owner, other = rows.tenant(), rows.tenant()
    hiring(owner, edges[1])
    hiring(other, edges[1])
    Metric.objects.create(
        period="day", start=YESTERDAY, name="funnel.visitors", value=3, computed_at=edges[0]
    )
    analytics.calculate_daily_metrics(now=platform.now)
    Application.objects.all().delete()
    later = platform.now + timedelta(hours=1)
    assert zumodra.calculate_daily_metrics(day="2026-11-21", now=later, tenant_id=owner.pk)["removed"] == 2
    assert figures(tenant=owner) == {"hiring.candidates": 1}
    assert figures(tenant=other)["hiring.hires"] == 1  # untouched
    assert figures()["hiring.hires"] == 2
    zumodra.calculate_daily_metrics(day="2026-11-21", now=later)
    assert (figures()["hiring.hires"], figures()["funnel.visitors"]) == (0, 3)


def test_the_two_names_of_the_daily_figures_give_the_same(platform: Any, edges: Any) -> None:
    hiring(rows.tenant(), *edges)
    analytics.calculate_daily_metrics(now=platform.now)
    columns = "tenant", "period", "start", "name", "value", "computed_at"
    first = list(Metric.objects.order_by("name", "tenant").values_list(*columns))
    Metric.objects.all().delete()
    zumodra.calculate_daily_metrics(day=YESTERDAY.isoformat(), now=platform.now.isoformat())
    assert list(Metric.objects.order_by("name", "tenant").values_list(*columns)) == first


def test_a_day_that_is_none_is_refused(platform: Any) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        zumodra.calculate_daily_metrics(day="21.11.2026", now=platform.now)


@pytest.mark.parametrize(
    ("task", "period", "now", "first", "last"),
    [
        # a Monday looks at the week that has just ended, a Sunday at the one before its own
        ("weekly", "week", "2026-11-23T02:00", date(2026, 11, 16), date(2026, 11, 22)),
        ("weekly", "week", "2026-11-22T23:59", date(2026, 11, 9), date(2026, 11, 15)),
        ("monthly", "month", "2026-11-01T03:00", date(2026, 10, 1), date(2026, 10, 31)),
        ("monthly", "month", "2024-03-31T03:00", date(2024, 2, 1), date(2024, 2, 29)),
        ("monthly", "month", "2026-01-01T00:00", date(2025, 12, 1), date(2025, 12, 31)),
    ],
)
def test_a_longer_period_sums_its_days(
    task: str, period: str, now: str, first: date, last: date, platform: Any
) -> None:
    owner = rows.tenant()
    days = (last - first).days + 1
    outside = first - metrics.DAY, last + metrics.DAY
    for day in (*(first + metrics.DAY * n for n in range(days)), *outside):
        for tenant in (owner, None):
            for name in ("hiring.hires", metrics.ACTIVE_PEOPLE):
                Metric.objects.create(
                    tenant=tenant, period="day", start=day, name=name, value=2, computed_at=platform.now
                )
    summary = getattr(analytics, f"calculate_{task}_metrics")(now=now)
    assert summary["days_computed"] == 0
    # people come again: a longer period has the mean of its days
    expected = {"hiring.hires": 2 * days, metrics.ACTIVE_PEOPLE: 2}
    assert figures(period, first, tenant=owner) == figures(period, first) == expected


def test_a_week_computes_the_days_that_nobody_did(platform: Any) -> None:
    owner = rows.tenant()
    monday = metrics.midnight(date(2026, 11, 9))
    hiring(owner, monday, monday + timedelta(days=2), monday + timedelta(days=7))
    zumodra.calculate_daily_metrics(day="2026-11-11", now=platform.now)
    assert analytics.calculate_weekly_metrics(now=platform.now)["days_computed"] == 6
    assert figures("week", monday.date(), tenant=owner)["hiring.hires"] == 2
    assert analytics.calculate_weekly_metrics(now=platform.now)["days_computed"] == 0


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"a": 5, "b": 5}, {"a", "b"}),
        ({"a": 5, "b": 6, "c": 4}, {"b"}),  # c is 1 - a - b, so a goes too
        ({"a": 9, "b": 4}, set()),
        ({"a": 4}, set()),
        ({"a": 9}, {"a"}),
        ({"a": 9, "b": 4, "c": 3}, {"a"}),
        ({"a": 5, "b": 5, "c": 1}, {"b"}),  # of equals, the first by name
    ],
)
def test_small_groups_and_what_gives_them_away_are_suppressed(sizes: Any, shown: set[str]) -> None:
    shares = diversity.shares(sizes)
    assert {group for group, share in shares.items() if share is not None} == shown
    assert all(shares[group] == round(sizes[group] / sum(sizes.values()), 4) for group in shown)


def test_diversity_is_of_the_employees_of_each_tenant(platform: Any) -> None:
    owner, small = rows.tenant(), rows.tenant()
    today = platform.now.date()
    groups = [("woman", 6, 1996), ("man", 5, 1996), ("  ", 5, None), ("woman", 2, 1966)]
    number = 0
    for gender, count, born in groups:
        for _ in range(count):
            number += 1
            Employee.objects.create(
                tenant=owner,
                name="N",
                email=f"e{number}@x.example",
                hired_on=today,
                gender=gender,
                origin="Europe",
                born_on=today.replace(year=born) if born else None,
            )
    for number in range(7):
        left = {"state": "left", "left_on": today} if number > 3 else {}
        Employee.objects.create(
            tenant=small, name="N", email=f"s{number}@x.example", hired_on=today, gender="man", **left
        )
    DiversityFigure.objects.create(tenant=owner, day=today, dimension="gender", group="gone", share=0.1)
    summary = analytics.calculate_diversity_metrics(now=platform.now)
    assert (summary["looked_at"], summary["removed"]) == (2, 1)

    def stored(dimension: str, tenant: Tenant) -> dict[str, float | None]:
        found = DiversityFigure.objects.filter(tenant=tenant, dimension=dimension, day=today)
        return dict(found.values_list("group", "share"))

    assert stored("gender", owner) == {"woman": 0.4444, "man": 0.2778, "not said": 0.2778}
    assert stored("origin", owner) == {"Europe": 1.0}
    # 30 today is in the thirties; the two of 60 would be what the others leave
    assert stored("age", owner) == {"30 to 39": 0.6111, "not said": None, "60 and over": None}
    assert stored("gender", small) == {"man": None}


def test_diversity_of_one_tenant(platform: Any) -> None:
    for owner in (rows.tenant(), rows.tenant()):
        Employee.objects.create(tenant=owner, name="N", email="e@x.example", hired_on=platform.now.date())
    analytics.calculate_diversity_metrics(now=platform.now, tenant_id=owner.pk)
    assert set(DiversityFigure.objects.values_list("tenant", flat=True)) == {owner.pk}


def test_old_page_views_move_into_an_archive(platform: Any) -> None:
    owner = rows.tenant()
    views = [
        PageView.objects.create(tenant=owner, path=text, at=platform.now - timedelta(days=days))
        for days, text in ((90, "/kept"), (90.01, rows.HOSTILE[0]), (400, rows.HOSTILE[1]))
    ]
    summary = analytics.cleanup_old_page_views(now=platform.now)
    assert (summary["archived"], summary["deleted"]) == (2, 2)
    assert PageView.objects.get().pk == views[0].pk
    assert [row["path"] for row in archives.read(Archive.objects.get())] == list(rows.HOSTILE[:2])


def test_the_report_of_yesterday_is_made_and_mailed_once(platform: Any) -> None:
    summary = analytics.generate_reports(now=platform.now)
    assert (summary["made"], summary["day"], summary["mailed"]) == (1, "2026-11-21", 1)
    stored = StoredReport.objects.get()
    assert (stored.kind, stored.day, stored.path) == ("operations", YESTERDAY, summary["page"])
    (message,) = platform.inbox.messages
    assert (message["To"], message["Subject"]) == (
        "ops@zumodra.example",
        "Operations report of 2026-11-21",
    )
    text = message.get_body(("plain",)).get_content()
    assert "Tasks: 3,075" in text
    assert "Failed: 13 <b> of 3,075" in text
    assert stored.path in text
    assert "&lt;b&gt; of" in message.get_body(("html",)).get_content()
    assert list(message.iter_attachments()) == []
    again = analytics.generate_reports(now=platform.now + timedelta(hours=5))
    assert (again["made"], again["mailed"]) == (0, 0)
    assert len(platform.inbox.messages) == 1


def test_a_report_that_was_made_and_not_mailed_is_mailed_without_making_it_again(platform: Any) -> None:
    platform.inbox.refuse["ops@zumodra.example"] = "451 later"
    assert analytics.generate_reports(now=platform.now)["deferred"] == 1
    made_at = Path(StoredReport.objects.get().path).stat().st_mtime_ns
    platform.inbox.refuse.clear()
    assert analytics.generate_reports(now=platform.now)["mailed"] == 1
    assert Path(StoredReport.objects.get().path).stat().st_mtime_ns == made_at


def test_a_report_whose_files_are_gone_is_made_again_and_not_mailed_again(platform: Any) -> None:
    analytics.generate_reports(now=platform.now)
    Path(StoredReport.objects.get().path).unlink()
    again = analytics.generate_reports(now=platform.now)
    assert (again["made"], again["mailed"]) == (1, 0)
    assert Path(StoredReport.objects.get().path).is_file()


def failing(day: date) -> SimpleNamespace:
    report.for_day(day)
    raise RuntimeError("a cell failed")


def test_a_report_that_cannot_be_made_is_not_stored(platform: Any, settings: Any) -> None:
    settings.DAILY_REPORT = f"{__name__}.failing"
    with pytest.raises(RuntimeError, match="a cell failed"):
        analytics.generate_reports(now=platform.now)
    assert not StoredReport.objects.exists()
    assert platform.inbox.messages == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": [{"outputs": [{}]}]}', "\x00"])
def test_a_notebook_without_a_headline_has_none(content: str, tmp_path: Path) -> None:
    path = tmp_path / "report.ipynb"
    path.write_text(content)
    assert daily_report.headline(path) == []


def test_platform_users_without_a_tenant_count_for_the_platform(platform: Any, edges: Any) -> None:
    person = User.objects.create(email="staff@x.example", name="S", created_at=edges[1])
    PageView.objects.create(user=person, path="/", at=edges[1])
    analytics.calculate_daily_metrics(now=platform.now)
    assert (figures()["activity.page_views"], figures()["activity.sign_ups"]) == (1, 1)
    assert not Metric.objects.exclude(tenant=None).exists()
