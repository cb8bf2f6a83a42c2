"""Skills from a feed, unused categories, figures of companies, checks of the data, look-ups."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tasks.base.errors import FeedError
from tasks.configurations import feeds, lookups, skills
from tasks.configurations import tasks as configurations
from tasks.models import (
    Category,
    Company,
    CompanyReview,
    Employee,
    IntegrityFinding,
    Invoice,
    Job,
    Service,
    Skill,
    Tenant,
)
from tests.integration.tasks import rows

DAY = timedelta(days=1)


@pytest.fixture
def feed(tmp_path: Path) -> Callable[..., str]:
    """Writes a feed of these entries; gives its path."""

    def write(*entries: Any) -> str:
        path = tmp_path / "feed.json"
        path.write_text(json.dumps({"skills": entries}))
        return str(path)

    return write


@pytest.fixture
def site() -> Iterator[SimpleNamespace]:
    """A web server with one answer."""
    answer = SimpleNamespace(status=200, body=b"[]", headers={}, asked=0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.asked += 1
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    answer.url = f"http://127.0.0.1:{server.server_address[1]}/skills.json"
    yield answer
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_feed_is_merged(platform: Any, feed: Callable[..., str]) -> None:
    at = platform.now
    programming = Category.objects.create(name="Programming", slug="programming")
    ours = Skill.objects.create(name="python", slug="python", category=programming)
    known = Skill.objects.create(name="Golang", slug="golang", external_id="2", category=programming)
    other = Skill.objects.create(name="Cobol", slug="cobol", external_id="99")
    same = Skill.objects.create(name="C++", slug="cpp", external_id="3", updated_at=at - DAY)
    summary = configurations.sync_skills_from_external(
        feed(
            {"id": 1, "name": "Python", "category": "Programming"},
            {"id": "2", "name": "Go", "active": False},
            {"id": "3", "name": "C++"},
            {"id": "4", "name": "C", "category": "Systems"},
            {"id": "5", "name": "c"},
            {"id": "6", "name": "لغة"},
        ),
        now=at,
    )
    assert summary == {
        "looked_at": 6,
        "added": 3,
        "changed": 2,
        "unchanged": 1,
        "categories_added": 1,
        "skipped": 0,
    }
    for row in (ours, known, other, same):
        row.refresh_from_db()
    assert (ours.external_id, ours.name, ours.slug, ours.updated_at) == ("1", "Python", "python", at)
    assert (known.name, known.slug, known.is_active, known.category_id) == (
        "Go",
        "golang",
        False,
        programming.pk,
    )
    assert (other.is_active, same.updated_at) == (True, at - DAY)
    added = dict(Skill.objects.filter(external_id__in="456").values_list("external_id", "slug"))
    assert added == {
        "4": "c",
        "5": skills.slug("c", "5"),
        "6": skills.slug("لغة"),
    }
    assert Skill.objects.get(external_id="4").category.slug == "systems"
    again = configurations.sync_skills_from_external(feed(), now=at + DAY)
    assert (again["looked_at"], Skill.objects.count()) == (0, 7)


def test_the_same_feed_again_changes_nothing(platform: Any, feed: Callable[..., str]) -> None:
    source = feed(
        *({"id": n, "name": name, "category": name} for n, name in enumerate(("C", "c", "ç", "🎉")))
    )
    assert configurations.sync_skills_from_external(source, now=platform.now)["added"] == 4
    before = list(Skill.objects.order_by("pk").values())
    again = configurations.sync_skills_from_external(source, now=platform.now + DAY)
    assert (again["unchanged"], again["added"], again["changed"], again["categories_added"]) == (4, 0, 0, 0)
    assert list(Skill.objects.order_by("pk").values()) == before


BAD = (
    "Python",
    None,
    {},
    {"id": "1"},
    {"id": True, "name": "x"},
    {"id": "1", "name": ""},
    {"id": "1", "name": "x" * 121},
    {"id": "1", "name": "nul \x00"},
    {"id": "1", "name": "half \ud83d"},
    {"id": "1", "name": ["x"]},
    {"id": "1", "name": "x", "category": 7},
    {"id": "1", "name": "x", "active": "yes"},
)


def test_bad_entries_are_skipped_and_the_others_merged(platform: Any, feed: Callable[..., str]) -> None:
    good = [{"id": n, "name": text} for n, text in enumerate(rows.HOSTILE[:3])]
    twice = {"id": 0, "name": "again"}
    summary = configurations.sync_skills_from_external(feed(*BAD, *good, twice), now=platform.now)
    assert (summary["skipped"], summary["added"]) == (len(BAD) + 1, len(good))
    assert Skill.objects.get(external_id="0").name == rows.HOSTILE[0]


def test_the_feed_comes_from_argument_setting_or_demo_data(
    platform: Any, settings: Any, feed: Callable[..., str], site: SimpleNamespace
) -> None:
    shipped = configurations.sync_skills_from_external(now=platform.now)["added"]
    assert shipped == len(feeds.read(str(configurations.DEMO_FEED), "skills")) > 20
    settings.SKILLS_FEED = feed({"id": "set", "name": "Setting"})
    assert configurations.sync_skills_from_external(now=platform.now)["added"] == 1
    site.body = json.dumps([{"id": "web", "name": "Web"}]).encode()
    assert configurations.sync_skills_from_external(source=site.url, now=platform.now)["added"] == 1
    assert Skill.objects.get(external_id="web").slug == "web"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"skills": {}}', "no list of skills"),
        (b'"skills"', "no list of skills"),
        (b"[" + b" " * 2000 + b"]", "larger than 1000 bytes"),
        (b"[1,2,3,4]", "3 are taken at most"),
    ],
)
def test_what_is_no_feed_is_refused(
    content: bytes, reason: str, site: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content != b"[" * 100_000:
        monkeypatch.setattr(feeds, "MOST_BYTES", 1000)
    monkeypatch.setattr(feeds, "MOST_RECORDS", 3)
    path = tmp_path / "feed.json"
    path.write_bytes(content)
    site.body = content
    for source in (str(path), site.url):
        with pytest.raises(FeedError, match=reason):
            feeds.read(source, "skills")


def test_a_feed_that_unpacks_to_too_much_is_refused(
    site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr(feeds, "MOST_BYTES", 100_000)
    site.body = gzip.compress(b" " * 5_000_000)
    site.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(FeedError, match="larger than 100000 bytes"):
        feeds.read(site.url, "skills")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, FeedError), (204, FeedError), (429, requests.ConnectionError), (503, requests.ConnectionError)],
)
def test_an_answer_that_is_none(status: int, error: type[Exception], site: SimpleNamespace) -> None:
    site.status, site.body = status, b""
    with pytest.raises(error, match=f"answers {status}"):
        feeds.read(site.url, "skills")
    assert site.asked == 1


def test_a_feed_that_breaks_off_is_tried_again_later(site: SimpleNamespace) -> None:
    site.body, site.headers = b"[1, 2", {"Content-Length": "500"}
    with pytest.raises(requests.ConnectionError):
        feeds.read(site.url, "skills")


def test_a_feed_that_drips_comes_to_an_end(site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ALL_SECONDS", -1)
    with pytest.raises(requests.Timeout, match="sent 2 bytes"):
        feeds.read(site.url, "skills")


def test_a_feed_that_sends_in_a_circle_is_refused(site: SimpleNamespace) -> None:
    site.status, site.headers = 302, {"Location": site.url}
    with pytest.raises(FeedError, match="redirects"):
        feeds.read(site.url, "skills")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("ftp://x.example/skills", FeedError),
        ("http://", FeedError),
        ("/nowhere/skills.json", FeedError),
        ("nul\0.json", FeedError),
        ("http://127.0.0.1:1/", requests.ConnectionError),
    ],
)
def test_a_source_that_cannot_be_read(source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        feeds.read(source, "skills")


def category(name: str, now: Any, *, idle: float, parent: Category | None = None) -> Category:
    at = now - idle * DAY
    return Category.objects.create(name=name, slug=name, parent=parent, created_at=at, used_at=at)


def test_unused_categories_go_leaf_by_leaf(platform: Any) -> None:
    at = platform.now
    root = category("root", at, idle=300)
    kept = [root, category("fresh", at, idle=90, parent=root)]
    branch = category("branch", at, idle=100, parent=root)
    twig = category("twig", at, idle=91, parent=branch)
    category("leaf", at, idle=300, parent=twig)
    used = category("skilled", at, idle=300)
    Skill.objects.create(name="Baking", slug="baking", category=used)
    served = category("served", at, idle=300)
    from tasks.models import Provider, ServiceRequest

    person = rows.user(rows.tenant())
    provider = Provider.objects.create(user=person, name="Ada")
    Service.objects.create(provider=provider, category=served, title="Bread", price_cents=1)
    asked = category("asked", at, idle=300)
    ServiceRequest.objects.create(client=person, category=asked, title="Cake", created_at=at, active_at=at)
    summary = configurations.cleanup_unused_categories(now=at)
    assert (summary["deleted"], summary["levels"], summary["left"]) == (3, 3, 5)
    assert set(Category.objects.all()) == {*kept, used, served, asked}
    assert configurations.cleanup_unused_categories(now=at)["deleted"] == 0


def employee(owner: Tenant, **more: Any) -> Employee:
    number = Employee.objects.count()
    values = {"name": f"Person {number}", "email": f"p{number}@x.example", "hired_on": "2024-01-01"}
    return Employee.objects.create(tenant=owner, **values | more)


def test_companies_are_counted(platform: Any) -> None:
    first, second = (Company.objects.create(tenant=rows.tenant()) for _ in range(2))
    for state in ("active", "probation", "leave", "left"):
        employee(first.tenant, state=state)
    for state in ("open", "open", "draft", "closed"):
        Job.objects.create(tenant=first.tenant, title="Baker", state=state)
    for rating, at in ((5, platform.now), (2, platform.now - DAY), (1, platform.now + DAY)):
        CompanyReview.objects.create(company=first, rating=rating, at=at)
    assert configurations.update_company_stats(now=platform.now, tenant_id=first.tenant_id)["updated"] == 1
    for company in (first, second):
        company.refresh_from_db()
    assert (first.employees, first.open_jobs, first.rating) == (3, 2, 3.5)
    assert second.counted_at is None
    assert configurations.update_company_stats(now=platform.now)["updated"] == 1
    second.refresh_from_db()
    assert (second.employees, second.open_jobs, second.rating, second.counted_at) == (
        0,
        0,
        None,
        platform.now,
    )


def findings(at: Any) -> dict[str, tuple[int, list[int]]]:
    """What was found at that time, without the checks that found nothing."""
    found = IntegrityFinding.objects.filter(found_at=at, count__gt=0)
    return {row.check_name: (row.count, row.sample) for row in found}


def test_the_data_is_checked(platform: Any) -> None:
    from django.db import connection

    mine, other = rows.tenant(state="active"), rows.tenant(email="", state="trial")
    jobs = [
        Job.objects.create(tenant=mine, title="", state="draft", recruiter=rows.user(other))
        for _ in range(12)
    ]
    Invoice.objects.create(
        tenant=mine, number="1", amount_cents=1, state="paid", issued_at=platform.now, due_at=platform.now
    )
    lost = employee(mine, state="left")
    with connection.constraint_checks_disabled() if platform.database == "sqlite" else _no_triggers():
        Employee.objects.filter(pk=lost.pk).update(tenant=4711)
    summary = configurations.check_data_integrity(now=platform.now)
    keys = [job.pk for job in jobs]
    assert findings(platform.now) == {
        "orphans: employee.tenant": (1, [lost.pk]),
        "other tenant: job.recruiter": (12, keys[:10]),
        "empty: job.title": (12, keys[:10]),
        "empty: tenant.email": (1, [other.pk]),
        "trials without an end": (1, [other.pk]),
        "paid invoices without a time": (1, [1]),
    }
    counted = {name: summary[name] for name in ("orphans", "bad_references", "missing_fields", "skipped")}
    assert counted == {"orphans": 1, "bad_references": 12, "missing_fields": 15, "skipped": 0}
    assert summary["stored"] == summary["checks"] == IntegrityFinding.objects.count() > 100
    assert configurations.check_data_integrity(now=platform.now)["stored"] == 0
    Employee.objects.filter(pk=lost.pk).delete()


class _no_triggers:
    """PostgreSQL without its checks of references, as while a dump is restored."""

    def __enter__(self) -> None:
        self._set("replica")

    def __exit__(self, *_: object) -> None:
        self._set("origin")

    @staticmethod
    def _set(role: str) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('session_replication_role', %s, false)", [role])


def test_look_ups_are_in_the_cache(platform: Any) -> None:
    root = Category.objects.create(name="Skills", slug="skills")
    leaf = Category.objects.create(name=rows.HOSTILE[1], slug="leaf", parent=root)
    circle = Category.objects.create(name="Circle", slug="circle")
    Category.objects.filter(pk=circle.pk).update(parent=circle)
    baking = Skill.objects.create(name="Baking", slug="baking", category=leaf)
    Skill.objects.create(name="Cobol", slug="cobol", is_active=False)
    company = Company.objects.create(tenant=rows.tenant("Alder"), industry="Energy", employees=7)
    assert (lookups.read_skills(), lookups.read_categories()) == (None, None)
    summary = configurations.warm_configuration_cache(now=platform.now)
    assert summary == {"skills": 1, "categories": 2, "companies": 1, "skipped": 0}
    assert lookups.read_skills() == [
        {"id": baking.pk, "name": "Baking", "slug": "baking", "category": leaf.pk}
    ]
    tree = lookups.read_categories()
    assert tree is not None
    assert tree["roots"] == [root.pk]
    assert tree["nodes"] == {
        root.pk: {"name": "Skills", "slug": "skills", "children": [leaf.pk]},
        leaf.pk: {"name": rows.HOSTILE[1], "slug": "leaf", "children": []},
    }
    kept = lookups.read_company(company.tenant.slug)
    assert kept is not None
    assert (kept["name"], kept["industry"], kept["employees"]) == ("Alder", "Energy", 7)
    assert lookups.read_company("nobody") is None
