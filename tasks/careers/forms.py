"""Applications as they were typed into the public form, on their way to candidates and applications."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from tasks.base import mail, stages
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.models import Application, Candidate, Job, PublicApplication

FORM_MAIL = "application received"  # kind of the letters
STATE = PublicApplication.State
COUNTERS = {STATE.ACCEPTED: "accepted", STATE.DUPLICATE: "duplicates", STATE.REFUSED: "invalid"}
WRITTEN = ("state", "processed_at", "application", "detail")
Person = tuple[int, str]  # tenant and address


def process(waiting: QuerySet[PublicApplication], at: datetime, size: int, summary: Summary) -> int:
    """Handle the next forms in one transaction, with their letters; returns the key of the last, or 0.

    Forms that another worker has in its hands are passed over.
    """
    with transaction.atomic():
        rows = waiting.select_for_update(of=("self",), skip_locked=True).select_related("job__tenant")
        forms = list(rows.defer("letter", "job__description").order_by("pk")[:size])
        if not forms:
            return 0
        summary.add("looked_at", len(forms))
        good = [form for form in forms if _passes(form, at)]
        people = _people(good, at, summary)
        taken = _applications({form.job_id for form in good}, set(people.values()))
        fresh: dict[tuple[int, int], PublicApplication] = {}
        for form in good:
            pair = (form.job_id, people[_person(form)])
            if pair in taken or pair in fresh:
                form.state = STATE.DUPLICATE
                form.detail = "This person has applied for the job already."
            else:
                form.state = STATE.ACCEPTED
                fresh[pair] = form
        taken |= _apply(fresh, at)
        for form in forms:
            form.processed_at = at
            summary.add(COUNTERS[STATE(form.state)])
        for form in good:
            form.application_id = taken[form.job_id, people[_person(form)]]
        PublicApplication.objects.bulk_update(forms, WRITTEN)
        mail.write((_confirmation(form) for form in fresh.values()), at)
    return forms[-1].pk


def _passes(form: PublicApplication, at: datetime) -> bool:
    """Whether it can become an application; if not, it says why."""
    job = form.job
    try:
        validate_email(form.email.strip())
    except ValidationError:
        form.detail = "The e-mail address is not valid."
    else:
        if not form.name.strip():
            form.detail = "There is no name."
        elif job.state != Job.State.OPEN and not (job.closed_at and form.submitted_at < job.closed_at):
            form.detail = "The job was not open."
    if form.detail:
        form.state = STATE.REFUSED
    return not form.detail


def _person(form: PublicApplication) -> Person:
    return form.job.tenant_id, form.email.strip().lower()


def _people(forms: Iterable[PublicApplication], at: datetime, summary: Summary) -> dict[Person, int]:
    """The candidate of each form: one who is known, however the address was spelt, or a new one."""
    by_person: dict[Person, PublicApplication] = {}
    for form in forms:
        by_person.setdefault(_person(form), form)
    known = _known(by_person)
    new = [
        Candidate(
            tenant_id=tenant_id,
            email=email,
            name=form.name.strip(),
            experience_years=form.experience_years,
            created_at=at,
        )
        for (tenant_id, email), form in by_person.items()
        if (tenant_id, email) not in known
    ]
    # Somebody may have entered the same person meanwhile.
    Candidate.objects.bulk_create(new, ignore_conflicts=True)
    summary.add("candidates", len(new))
    return known | _known((row.tenant_id, row.email) for row in new)


def _known(people: Iterable[Person]) -> dict[Person, int]:
    wanted = set(people)
    tenants, emails = {tenant_id for tenant_id, _ in wanted}, {email for _, email in wanted}
    rows = Candidate.objects.annotate(plain=Lower("email")).filter(tenant__in=tenants)
    rows = rows.filter(Q(plain__in=emails) | Q(email__in=emails)).order_by("-pk")
    found = {(tenant, email.lower()): pk for tenant, email, pk in rows.values_list("tenant", "email", "pk")}
    return {person: pk for person, pk in found.items() if person in wanted}


def _applications(jobs: set[int], people: set[int]) -> dict[tuple[int, int], int]:
    """Applications of these people for these jobs, by both."""
    rows = Application.objects.filter(job__in=jobs, candidate__in=people)
    return {(job, person): pk for job, person, pk in rows.values_list("job", "candidate", "pk")}


def _apply(fresh: dict[tuple[int, int], PublicApplication], at: datetime) -> dict[tuple[int, int], int]:
    rows = [
        Application(
            tenant_id=form.job.tenant_id,
            job_id=job_id,
            candidate_id=candidate_id,
            applied_at=form.submitted_at,
            touched_at=at,
        )
        for (job_id, candidate_id), form in fresh.items()
    ]
    # As with people: a worker that has another form of the same person may have been faster.
    Application.objects.bulk_create(rows, ignore_conflicts=True)
    made = _applications({job for job, _ in fresh}, {person for _, person in fresh})
    made = {pair: made[pair] for pair in fresh}
    stages.enter(list(made.values()), stages.Stage.NEW, at)
    return made


def _confirmation(form: PublicApplication) -> Letter:
    return Letter(
        FORM_MAIL,
        str(form.pk),
        form.email.strip(),
        f"Your application for {form.job.title[:100]}",
        lines=(
            f"Hello {form.name.strip()},",
            f"{form.job.tenant.name} has received your application. You will hear from us.",
        ),
        facts=(("job", form.job.title), ("received", f"{form.submitted_at:%Y-%m-%d %H:%M} UTC")),
        tenant_id=form.job.tenant_id,
    )
