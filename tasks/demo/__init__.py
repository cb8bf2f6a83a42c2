"""Lifelike data with work waiting for every task: the same for the same seed, scale and moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from tasks.base.clock import Moment, moment
from tasks.core import vacuum
from tasks.demo import hiring, lookups, market, money, people, records, running, site, staff, talk
from tasks.demo.world import World
from tasks.models import DemoLoad

Progress = Callable[[str, int, int], None]  # what is being made, steps done, steps in all

STEPS: tuple[tuple[str, Callable[[World], int]], ...] = (
    ("tenants", people.make_tenants),
    ("categories", lookups.make_categories),
    ("skills", lookups.make_skills),
    ("companies", lookups.make_companies),
    ("users", people.make_users),
    ("employees", people.make_employees),
    ("login sessions", people.make_sessions),
    ("invitations", records.make_invitations),
    ("tokens", records.make_tokens),
    ("login history", records.make_logins),
    ("identity checks and consents", records.make_identities),
    ("time off", staff.make_time_off),
    ("onboarding", staff.make_onboarding),
    ("documents", staff.make_documents),
    ("jobs", hiring.make_jobs),
    ("candidates", hiring.make_candidates),
    ("applications", hiring.make_applications),
    ("listings", site.make_listings),
    ("public applications", site.make_forms),
    ("page views", site.make_page_views),
    ("newsletters", site.make_newsletters),
    ("leads", site.make_leads),
    ("services", market.make_services),
    ("contracts", market.make_contracts),
    ("notifications", talk.make_notifications),
    ("appointments", talk.make_appointments),
    ("conversations", talk.make_conversations),
    ("subscriptions", money.make_subscriptions),
    ("invoices and payments", money.make_invoices),
    ("audit entries", running.make_audit),
    ("integrations", running.make_integrations),
    ("aggregates", running.make_reads),
    ("temporary files", running.make_files),
    ("open invoices and charges", money.make_open_ends),
)
SCALES = 0.1, 1000.0


def load(
    seed: int = 7, scale: float = 1, now: Moment = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Load the data set, all of it or nothing; loading the same one again adds nothing.

    Parameters
    ----------
    seed, scale
        Which data set: 1 is some 40 tenants; 10 and 100 are that many times as much.
    now
        The moment that its past ends at; the present if None.
    progress
        Called before each step with what is made, the steps done and the steps in all, and at the end.

    Returns
    -------
    dict
        ``loaded`` (whether anything was added), ``seed``, ``scale``, ``rows`` by what was made.

    Raises
    ------
    ValueError
        The scale is not one that there is.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ValueError(f"scale={scale} must be {SCALES[0]:g} to {SCALES[1]:g}")
    world = World(seed, scale, moment(now))
    tell = progress or (lambda *_: None)
    total = len(STEPS) + 1
    about = {"seed": seed, "scale": scale}
    known = DemoLoad.objects.filter(key=world.key).first()
    if known is not None:
        return {"loaded": False, **about, "rows": known.rows}
    tell("backups", 0, total)
    rows = {"backups": running.make_backups(world)}
    with transaction.atomic():
        for done, (what, make) in enumerate(STEPS, start=1):
            tell(what, done, total)
            rows[what] = make(world)
        DemoLoad.objects.create(key=world.key, loaded_at=world.now, rows=rows)
        vacuum.refresh_statistics()
    tell("ready", total, total)
    return {"loaded": True, **about, "rows": rows}
