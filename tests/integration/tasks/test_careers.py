"""The public site: forms become applications, views become counts, listings and sitemap tell the truth."""

from __future__ import annotations

import stat
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from tasks.careers import forms
from tasks.careers import tasks as careers
from tasks.models import (
    Application,
    Candidate,
    Job,
    JobListing,
    JobView,
    PublicApplication,
    StageStay,
    Tenant,
)
from tests.integration.tasks import rows

process = careers.process_public_applications
fold = careers.update_job_view_counts
sync = careers.sync_job_listings
draw = careers.generate_sitemap
track = careers.track_job_view
XML = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def job(owner: Tenant, **more: Any) -> Job:
    return Job.objects.create(tenant=owner, **{"title": "Cook"} | more)


def form(post: Job, now: Any, **more: Any) -> PublicApplication:
    values = {"name": "Ann Lee", "email": "ann@mail.example", "submitted_at": now - timedelta(minutes=3)}
    return PublicApplication.objects.create(job=post, **values | more)


def listing(post: Job, now: Any, **more: Any) -> JobListing:
    values = {"title": post.title, "slug": f"job-{post.pk}", "changed_at": now - timedelta(days=3)}
    return JobListing.objects.create(job=post, tenant=post.tenant, **values | more)


def test_a_form_becomes_a_candidate_and_an_application(platform: Any) -> None:
    post = job(rows.tenant(rows.HOSTILE[0]), title=rows.HOSTILE[1])
    typed = form(post, platform.now, name=f" {rows.HOSTILE[0]} ", experience_years=7, letter="x" * 100_000)
    summary = process(now=platform.now)
    assert (summary["looked_at"], summary["accepted"], summary["candidates"]) == (1, 1, 1)
    person, made = Candidate.objects.get(), Application.objects.get()
    assert (person.tenant_id, person.name, person.email) == (
        post.tenant_id,
        rows.HOSTILE[0],
        "ann@mail.example",
    )
    assert person.experience_years == 7
    assert (made.job_id, made.candidate_id, made.stage) == (post.pk, person.pk, "new")
    assert (made.applied_at, made.touched_at) == (typed.submitted_at, platform.now)
    assert StageStay.objects.get().application_id == made.pk
    typed.refresh_from_db()
    assert (typed.state, typed.application_id, typed.processed_at) == ("accepted", made.pk, platform.now)
    (message,) = platform.inbox.messages
    assert message["To"] == "ann@mail.example"
    assert "<script>" not in message.get_body(("html",)).get_content()
    assert process(now=platform.now)["looked_at"] == 0


def test_duplicates_are_found_however_the_address_is_spelt(platform: Any) -> None:
    owner = rows.tenant()
    post, other, elsewhere = job(owner), job(owner), job(rows.tenant())
    known = Candidate.objects.create(tenant=owner, name="Ann", email="Ann@Mail.example")
    had = Application.objects.create(
        tenant=owner, job=post, candidate=known, applied_at=platform.now, touched_at=platform.now
    )
    again = form(post, platform.now, email=" ANN@mail.example ")
    forms_ = [form(place, platform.now) for place in (other, other, elsewhere)]
    summary = process(now=platform.now)
    assert (summary["accepted"], summary["duplicates"], summary["candidates"]) == (2, 2, 1)
    assert summary["mailed"] == 2
    states = [PublicApplication.objects.get(pk=row.pk).state for row in (again, *forms_)]
    assert states == ["duplicate", "accepted", "duplicate", "accepted"]
    again.refresh_from_db()
    assert again.application_id == had.pk
    assert set(Application.objects.values_list("job", "candidate__tenant")) == {
        (post.pk, owner.pk),
        (other.pk, owner.pk),
        (elsewhere.pk, elsewhere.tenant_id),
    }


def test_what_cannot_become_an_application_says_why(platform: Any) -> None:
    owner, before = rows.tenant(), platform.now - timedelta(minutes=10)
    closed = job(owner, state="closed", closed_at=before)
    just_closed = job(owner, state="closed", closed_at=platform.now)
    refused = [
        form(job(owner), platform.now, email="no address"),
        form(job(owner), platform.now, name="  "),
        form(closed, platform.now),
        form(job(owner, state="draft"), platform.now),
    ]
    form(just_closed, platform.now, email="in.time@mail.example")
    summary = process(now=platform.now)
    assert (summary["invalid"], summary["accepted"], summary["mailed"]) == (4, 1, 1)
    for row in refused:
        row.refresh_from_db()
    assert [row.state for row in refused] == ["refused"] * 4
    assert all(row.detail for row in refused)
    assert Application.objects.get().job_id == just_closed.pk


def test_forms_are_processed_in_batches_of_one_tenant_or_all(platform: Any) -> None:
    post, other = job(rows.tenant()), job(rows.tenant())
    for number in range(5):
        form(post, platform.now, email=f"p{number}@mail.example")
        form(other, platform.now, email=f"p{number}@mail.example")
    assert process(now=platform.now, tenant_id=other.tenant_id, batch_size=2)["accepted"] == 5
    assert process(now=platform.now, batch_size=2)["accepted"] == 5
    assert Application.objects.filter(job=post).count() == 5
    with pytest.raises(ValueError, match="batch_size"):
        process(now=platform.now, batch_size=0)


def test_a_batch_that_fails_leaves_no_half_application(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    form(job(rows.tenant()), platform.now)

    def killed(*_: Any) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(forms.stages, "enter", killed)
        with pytest.raises(ConnectionError):
            process(now=platform.now)
    assert not Application.objects.exists()
    assert PublicApplication.objects.get().state == "waiting"
    assert process(now=platform.now)["mailed"] == 1


def test_an_event_is_one_view_however_often_it_comes(platform: Any) -> None:
    shown = listing(job(rows.tenant()), platform.now)
    visitor = {"address": "192.0.2.7", "agent": rows.HOSTILE[0]}
    for _ in range(2):
        track(shown.pk, visitor, "event 1", now=platform.now)
    assert track(shown.pk, {**visitor, "event_id": "event 2"}, now=platform.now)["stored"] == 1
    assert track(shown.pk, "somebody", "e" * 900, now=platform.now)["stored"] == 1
    assert track(shown.pk, now=platform.now)["stored"] == 1
    assert track(shown.pk, now=platform.now)["stored"] == 1  # no event's id: nothing says it is the same
    assert track(12345, visitor, now=platform.now)["skipped_ids"] == ["listing 12345"]
    assert track(shown.pk, tenant_id=rows.tenant().pk, now=platform.now)["stored"] == 0
    assert JobView.objects.count() == 5
    assert "192.0.2.7" not in str(list(JobView.objects.values()))
    assert len(set(JobView.objects.values_list("visitor", flat=True))) == 3

    assert fold(now=platform.now)["folded"] == 5
    assert track(shown.pk, visitor, "event 1", now=platform.now)["stored"] == 0
    assert fold(now=platform.now)["folded"] == 0
    shown.refresh_from_db()
    assert shown.views == 5


def test_a_message_that_is_delivered_again_keeps_its_view(platform: Any) -> None:
    shown = listing(job(rows.tenant()), platform.now)
    stored = []
    for message in ("id 1", "id 1", "id 2"):
        track.push_request(id=message)
        stored.append(track.run(shown.pk, "somebody", now=platform.now)["stored"])
        track.pop_request()
    assert stored == [1, 0, 1]


def test_views_are_folded_into_the_counts_of_their_listings(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.careers.listings.VIEWS_AT_ONCE", 3)
    first, second, third = (listing(job(rows.tenant()), platform.now, views=n) for n in (10, 0, 5))
    for shown, count in ((first, 6), (second, 1)):
        for _ in range(count):
            JobView.objects.create(listing=shown, visitor="v", at=platform.now)
    assert fold(now=platform.now, tenant_id=second.tenant_id)["folded"] == 1
    assert fold(now=platform.now) == {
        "looked_at": 6,
        "folded": 6,
        "listings": 1,
        "deleted": 0,
        "skipped": 0,
    }
    counts = dict(JobListing.objects.values_list("pk", "views"))
    assert counts == {first.pk: 16, second.pk: 1, third.pk: 5}
    assert fold(now=platform.now + timedelta(days=2))["deleted"] == 0
    assert fold(now=platform.now + timedelta(days=2, seconds=1))["deleted"] == 7
    assert dict(JobListing.objects.values_list("pk", "views")) == counts


def test_listings_follow_the_postings(platform: Any) -> None:
    owner, now = rows.tenant(), platform.now
    fresh = job(owner, title="Chef de Cuisine (m/w/d)", location="Lyon", description="Sauces")
    hostile = [job(owner, title=text) for text in rows.HOSTILE]
    job(owner, state="draft")
    same = listing(job(owner), now)
    changed = listing(job(owner, title="Baker", location="Bonn", description="Bread"), now, title="Cook")
    reopened = listing(job(owner), now, published=False)
    closed = listing(job(owner, state="closed"), now)
    over = listing(job(owner, closes_at=now), now)
    down = listing(job(owner, state="closed"), now, published=False)

    assert sync(now=now, tenant_id=rows.tenant().pk)["added"] == 0
    summary = sync(now=now)
    assert (summary["added"], summary["updated"], summary["unpublished"]) == (8, 2, 2)
    made = JobListing.objects.get(job=fresh)
    assert made.slug == f"chef-de-cuisine-mwd-{fresh.pk}"
    assert (made.location, made.description, made.tenant_id) == ("Lyon", "Sauces", owner.pk)
    assert JobListing.objects.filter(job__in=hostile).count() == len(hostile)
    for row in (same, changed, reopened, closed, over, down):
        row.refresh_from_db()
    assert (changed.title, changed.location, changed.description) == ("Baker", "Bonn", "Bread")
    public = [row.published for row in (same, changed, reopened, closed, over, down)]
    assert public == [True, True, True, False, False, False]
    assert [row.changed_at == now for row in (same, changed, reopened, down)] == [False, True, True, False]
    again = sync(now=now)
    assert (again["added"], again["updated"], again["unpublished"], again["public"]) == (0, 0, 0, 11)


def read(path: Any, item: str) -> list[tuple[str | None, str | None]]:
    root = ElementTree.parse(path).getroot()
    assert root.tag == XML + ("urlset" if item == "url" else "sitemapindex")
    for child in root:
        assert child.tag == XML + item
        assert [part.tag for part in child] in ([XML + "loc"], [XML + "loc", XML + "lastmod"])
    return [(child.findtext(XML + "loc"), child.findtext(XML + "lastmod")) for child in root]


def test_the_sitemap_lists_what_is_public(platform: Any, settings: Any) -> None:
    settings.PUBLIC, settings.SITE_URL = platform.TEMPORARY / "www", "https://jobs.example/"
    owner = rows.tenant()
    shown = listing(job(owner), platform.now, slug="cook-1")
    listing(job(owner), platform.now, slug="<a>&b/ö")
    listing(job(owner), platform.now, slug="hidden", published=False)
    assert draw(now=platform.now)["addresses"] == 2
    path = settings.PUBLIC / "sitemap.xml"
    changed = shown.changed_at.isoformat(timespec="seconds")
    assert read(path, "url") == [
        ("https://jobs.example/jobs/cook-1", changed),
        ("https://jobs.example/jobs/%3Ca%3E%26b%2F%C3%B6", changed),
    ]
    assert path.read_text().startswith('<?xml version="1.0" encoding="utf-8"?>')
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    before = path.read_bytes()
    draw(now=platform.now + timedelta(days=1))
    assert path.read_bytes() == before
    assert [found.name for found in settings.PUBLIC.iterdir()] == ["sitemap.xml"]


def test_many_listings_go_into_parts_under_an_index(platform: Any) -> None:
    folder = platform.PUBLIC
    owner = rows.tenant()
    for number in range(5):
        listing(job(owner), platform.now + timedelta(days=number), slug=f"job-{number}")
    summary = draw(addresses_a_file=2, now=platform.now)
    assert (summary["addresses"], summary["files"]) == (5, 4)
    parts = read(folder / "sitemap.xml", "sitemap")
    assert [address for address, _ in parts] == [
        f"https://zumodra.example/sitemap-{n}.xml" for n in (1, 2, 3)
    ]
    assert parts[2][1] == (platform.now + timedelta(days=1)).isoformat(timespec="seconds")
    found = [read(folder / f"sitemap-{n}.xml", "url") for n in (1, 2, 3)]
    assert [len(part) for part in found] == [2, 2, 1]
    assert len({address for part in found for address, _ in part}) == 5

    assert draw(addresses_a_file=4, now=platform.now)["removed"] == 1
    assert draw(now=platform.now)["removed"] == 2
    assert [path.name for path in folder.iterdir()] == ["sitemap.xml"]
    assert len(read(folder / "sitemap.xml", "url")) == 5


def test_a_sitemap_without_listings_is_still_valid(platform: Any) -> None:
    assert draw(now=platform.now)["addresses"] == 0
    found = read(platform.PUBLIC / "sitemap.xml", "url")
    assert found == [("https://zumodra.example/jobs", None)]


@pytest.mark.parametrize("most", [0, 50_001])
def test_a_size_that_the_protocol_does_not_know_is_refused(most: int, platform: Any) -> None:
    with pytest.raises(ValueError, match="50000"):
        draw(addresses_a_file=most, now=platform.now)


def test_what_a_killed_run_had_begun_goes_with_the_next(platform: Any) -> None:
    platform.PUBLIC.mkdir()
    (platform.PUBLIC / ".sitemap.xml.4711.part").write_text("<urlset")
    draw(now=platform.now)
    assert [path.name for path in platform.PUBLIC.iterdir()] == ["sitemap.xml"]


def test_a_sitemap_that_cannot_be_finished_leaves_the_earlier_one(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = platform.PUBLIC
    listing(job(rows.tenant()), platform.now)
    draw(now=platform.now)
    before = (folder / "sitemap.xml").read_bytes()

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("tasks.careers.sitemap.os.fsync", full)
    listing(job(rows.tenant()), platform.now)
    with pytest.raises(OSError, match="no space"):
        draw(now=platform.now)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("sitemap.xml", before)]
