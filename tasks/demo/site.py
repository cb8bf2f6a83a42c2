"""The public site and its marketing: listings, forms, views, newsletters, campaigns, leads."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.people import person, slugged
from tasks.demo.world import World
from tasks.models import (
    Campaign,
    JobListing,
    JobView,
    Lead,
    Newsletter,
    NewsletterDelivery,
    PageView,
    PublicApplication,
    Subscriber,
    Visit,
)

FORMS = 40  # at scale 1
JOB_VIEWS = 800
PAGE_VIEWS = 2500
SUBSCRIBERS = 200
LEADS = 150
VISITS = 1500


def make_listings(world: World) -> int:
    """Listings of most of the open jobs, and of some that have closed; views that are not folded yet."""
    dice = world.dice("listings")
    rows = [
        JobListing(
            job=job,
            tenant_id=job.tenant_id,
            slug=f"{slugged(job.title)}-{job.pk}",
            title=job.title,
            location=job.location,
            description=job.description,
            changed_at=job.created_at,
            views=dice.randint(0, 900),
        )
        for job in world.jobs
        if job.state != "draft" and dice.random() < 0.8
    ]
    world.save(rows)
    views = [
        JobView(listing=dice.choice(rows), visitor=f"v{dice.randint(1, 5000)}", at=world.ago(dice, 0, 0.25))
        for _ in range(world.many(JOB_VIEWS))
    ]
    world.save_in_order(views)
    return len(rows) + len(views)


def make_forms(world: World) -> int:
    """Applications of the last minutes: new people, people already known, and one that typed nonsense."""
    dice = world.dice("forms")
    jobs = [job for job in world.jobs if job.state == "open"]
    known = world.by_tenant(world.candidates)
    rows = []
    for number in range(world.many(FORMS)):
        job = dice.choice(jobs)
        again = dice.choice(known[job.tenant_id]) if dice.random() < 0.25 else None
        name = again.name if again else person(dice)
        email = again.email if again else f"{slugged(name, '.')}.{number}@applicant.example"
        rows.append(
            PublicApplication(
                job=job,
                name=name,
                email="not an address" if number == 5 else email,
                letter=dice.choice(words.LETTERS),
                experience_years=dice.randint(0, 20),
                submitted_at=world.now - timedelta(minutes=dice.uniform(0, 30)),
            )
        )
    world.save(rows)
    return len(rows)


def make_page_views(world: World) -> int:
    """Page views of nearly four months."""
    dice = world.dice("page views")
    rows = []
    for _ in range(world.many(PAGE_VIEWS)):
        user = dice.choice(world.users)
        at = world.recently(dice, 20) if dice.random() < 0.8 else world.ago(dice, 91, 115)
        rows.append(PageView(tenant_id=user.tenant_id, user=user, path=dice.choice(words.PATHS), at=at))
    world.save_in_order(rows)
    return len(rows)


def make_newsletters(world: World) -> int:
    """Subscribers; issues that were sent, some long ago, and one that is due."""
    dice = world.dice("newsletters")
    people = world.save(
        [
            Subscriber(
                email=f"reader{number}.{slugged(world.key.replace(',', ''))}@mail.example",
                name=person(dice),
                state="unsubscribed" if dice.random() < 0.1 else "subscribed",
                changed_at=world.recently(dice, 60),
                synced_at=world.ago(dice, 0, 20) if dice.random() < 0.7 else None,
            )
            for number in range(world.many(SUBSCRIBERS))
        ]
    )
    ages = (-2, 0.02, 30, 400)  # days since the time of sending; below zero it is still to come
    issues = world.save(
        [
            Newsletter(
                subject=subject,
                body=f"{subject}. {dice.choice(words.TEXTS)}",
                state="scheduled" if age < 1 else "sent",
                send_at=world.now - timedelta(days=age),
                sent_at=world.now - timedelta(days=age) if age >= 1 else None,
            )
            for subject, age in zip(words.NEWS, ages, strict=True)
        ]
    )
    rows = []
    for issue in issues:
        if issue.sent_at:
            for reader in people:
                opened = issue.sent_at + timedelta(hours=dice.uniform(0, 40)) if dice.random() < 0.4 else None
                rows.append(
                    NewsletterDelivery(
                        newsletter=issue,
                        subscriber=reader,
                        sent_at=issue.sent_at,
                        opened_at=opened,
                        clicked_at=opened if opened and dice.random() < 0.3 else None,
                    )
                )
    world.save(rows)
    return len(people) + len(issues) + len(rows)


def make_leads(world: World) -> int:
    """Leads with their visits, sign-ups of yesterday among them, and campaigns: due, running, to come."""
    dice = world.dice("leads")
    leads = []
    for number in range(world.many(LEADS)):
        name, created = person(dice), world.ago(dice, 0, 60)
        signed = max(created, world.ago(dice, 0, 3)) if dice.random() < 0.3 else None
        leads.append(
            Lead(
                email=f"{slugged(name, '.')}.{number}.{slugged(world.key.replace(',', ''))}@prospect.example",
                name=name,
                company=f"{dice.choice(words.COMPANY)} {dice.choice(words.TRADE)}",
                company_size=int(dice.lognormvariate(4, 1.4)) + 1,
                created_at=created,
                signed_up_at=signed,
                subscribed_at=signed if signed and dice.random() < 0.4 else None,
            )
        )
    world.save(leads)
    visits = []
    for _ in range(world.many(VISITS)):
        lead = dice.choice(leads) if dice.random() < 0.5 else None
        visits.append(
            Visit(
                lead=lead,
                visitor=f"lead{lead.pk}" if lead else f"v{dice.randint(1, 9000)}",
                kind=world.pick(dice, (("page", 80), ("open", 12), ("download", 8))),
                path=dice.choice(words.SITE),
                at=world.recently(dice, 20) if dice.random() < 0.8 else world.ago(dice, 91, 115),
            )
        )
    world.save_in_order(visits)
    campaigns = [
        Campaign(
            name=f"{label} ({world.key})",
            subject=f"{label} with Zumodra",
            body=dice.choice(words.TEXTS),
            state=state,
            starts_at=world.now + timedelta(hours=hours),
            started_at=world.now + timedelta(hours=hours) if state == "running" else None,
            batch_size=50,
        )
        for label, state, hours in (
            ("Hire faster", "running", -2),
            ("Spring offer", "scheduled", -0.5),
            ("Webinar", "scheduled", 48),
        )
    ]
    world.save(campaigns)
    return len(leads) + len(visits) + len(campaigns)
