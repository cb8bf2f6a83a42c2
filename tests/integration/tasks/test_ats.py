"""Applications are scored, moved on, rejected and counted as their rules say; people are told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.ats import matching
from tasks.ats import tasks as ats
from tasks.models import (
    Application,
    Candidate,
    CandidateSkill,
    Interview,
    Job,
    JobSkill,
    Mail,
    PipelineStatistic,
    Skill,
    StageStay,
    Tenant,
)
from tests.integration.tasks import rows

score_all = ats.calculate_match_scores
remind = ats.send_application_reminders
reject = ats.auto_reject_stale_applications
measure = ats.update_pipeline_statistics
announce = ats.send_interview_reminders
process = ats.process_candidate_application


def job(owner: Tenant, **more: Any) -> Job:
    return Job.objects.create(tenant=owner, **{"title": "Cook"} | more)


def candidate(owner: Tenant, **more: Any) -> Candidate:
    number = Candidate.objects.count()
    return Candidate.objects.create(
        tenant=owner, **{"name": f"Person {number}", "email": f"person{number}@mail.example"} | more
    )


def application(post: Job, now: Any, *, days: float = 0, **more: Any) -> Application:
    then = now - timedelta(days=days)
    values = {"applied_at": then, "touched_at": then}
    if "candidate" not in more:
        values["candidate"] = candidate(post.tenant)
    return Application.objects.create(tenant=post.tenant, job=post, **values | more)


def stay(row: Application, stage: str, now: Any, entered: float, left: float | None = None) -> None:
    StageStay.objects.create(
        application=row,
        stage=stage,
        entered_at=now - timedelta(days=entered),
        left_at=None if left is None else now - timedelta(days=left),
    )


def interview(row: Application, now: Any, hours: float, **more: Any) -> Interview:
    return Interview.objects.create(application=row, starts_at=now + timedelta(hours=hours), **more)


def test_a_score_is_the_weighted_mean_of_its_parts(platform: Any) -> None:
    owner = rows.tenant()
    knife, bread, wine = (Skill.objects.create(name=n, slug=n) for n in ("knife", "bread", "wine"))
    post = job(owner, location="Berlin", experience_years=4, salary_max=50_000)
    for skill, required in ((knife, True), (bread, True), (wine, False)):
        JobSkill.objects.create(job=post, skill=skill, required=required)
    person = candidate(owner, location=" berlin ", experience_years=3, salary_expected=55_000)
    CandidateSkill.objects.create(candidate=person, skill=knife)
    CandidateSkill.objects.create(candidate=person, skill=wine)
    row = application(post, platform.now, candidate=person)
    done = application(post, platform.now, stage="hired")

    assert score_all(now=platform.now) == {"looked_at": 1, "scored": 1, "changed": 1, "skipped": 0}
    row.refresh_from_db()
    # skills 3 of 5 (a required one counts two), experience 3 of 4, same place, 10 % above the salary
    assert row.score == round(100 * (0.5 * 0.6 + 0.2 * 0.75 + 0.15 * 1 + 0.15 * 0.6), 1)
    assert row.scored_at == platform.now
    done.refresh_from_db()
    assert done.score is None

    later = platform.now + timedelta(hours=2)
    assert score_all(now=later)["changed"] == 0
    assert score_all(skills=1, experience=0, location=0, salary=0, now=later)["changed"] == 1
    row.refresh_from_db()
    assert (row.score, row.scored_at) == (60.0, later)
    assert score_all(now=later, tenant_id=rows.tenant().pk)["looked_at"] == 0


# what the job says, what the candidate says, the part, what it is worth
PARTS = (
    ({}, {}, "skills", 0.5),
    ({"experience_years": 0}, {"experience_years": None}, "experience", 1),
    ({"experience_years": 5}, {"experience_years": None}, "experience", 0.5),
    ({"experience_years": 5}, {"experience_years": 0}, "experience", 0),
    ({"experience_years": 5}, {"experience_years": 40}, "experience", 1),
    ({"location": "Lyon"}, {"location": "Nantes"}, "location", 0),
    ({"location": "Lyon"}, {"location": ""}, "location", 0.5),
    ({"location": "ΑΘΉΝΑ"}, {"location": "αθήνα"}, "location", 1),
    ({"location": "Lyon", "remote": True}, {"location": "Nantes"}, "location", 1),
    ({"salary_max": None}, {"salary_expected": 10}, "salary", 0.5),
    ({"salary_max": 10}, {"salary_expected": None}, "salary", 0.5),
    ({"salary_max": 100}, {"salary_expected": 100}, "salary", 1),
    ({"salary_max": 100}, {"salary_expected": 125}, "salary", 0),
    ({"salary_max": 0}, {"salary_expected": 1}, "salary", 0),
)


@pytest.mark.parametrize(("asked", "said", "part", "worth"), PARTS)
def test_a_part_of_the_match(asked: Any, said: Any, part: str, worth: float) -> None:
    row = Application(job=Job(pk=1, **asked), candidate=Candidate(pk=1, **said))
    assert getattr(matching.match(row, matching.Skills({}, {})), part) == pytest.approx(worth)


@pytest.mark.parametrize(
    "weights", [{"skills": -1}, {"skills": float("nan")}, dict.fromkeys(("skills", "experience"), 0.0)]
)
def test_weights_that_weigh_nothing_are_refused(weights: dict[str, float], platform: Any) -> None:
    nothing = {"location": 0, "salary": 0}
    with pytest.raises(ValueError, match="weights"):
        score_all(**nothing | weights, now=platform.now)


def test_recruiters_get_one_letter_about_all_that_waits(platform: Any) -> None:
    owner = rows.tenant()
    recruiter, gone = rows.user(owner, role="recruiter"), rows.user(owner, is_active=False)
    first, second = job(owner, recruiter=recruiter, title=rows.HOSTILE[0]), job(owner, recruiter=recruiter)
    for post, days in ((first, 3.1), (second, 9), (first, 3), (first, 0)):
        application(post, platform.now, days=days)
    application(job(owner, recruiter=gone), platform.now, days=4)
    application(first, platform.now, days=9, stage="screening")
    again = application(first, platform.now, days=9)
    stay(again, "new", platform.now, 1)  # came back into the inbox yesterday

    summary = remind(now=platform.now)
    assert (summary["looked_at"], summary["mailed"]) == (3, 2)
    letters = {message["To"]: message for message in platform.inbox.messages}
    assert set(letters) == {recruiter.email, owner.email}
    assert letters[recruiter.email]["Subject"] == "Applications that wait for you: 2"
    assert "<script>" not in letters[recruiter.email].get_body(("html",)).get_content()

    assert remind(now=platform.now + timedelta(hours=3))["mailed"] == 0
    assert remind(now=platform.now + timedelta(days=1), tenant_id=rows.tenant().pk)["mailed"] == 0
    assert remind(now=platform.now + timedelta(days=1))["mailed"] == 2


def test_a_long_list_is_counted_not_told(platform: Any) -> None:
    owner = rows.tenant()
    post = job(owner, recruiter=rows.user(owner))
    for number in range(23):
        application(post, platform.now, days=5 + number)
    remind(now=platform.now)
    (message,) = platform.inbox.messages
    text = message.get_body(("plain",)).get_content()
    assert message["Subject"].endswith(": 23")
    assert text.count("for Cook") == 20
    assert "3 more" in text


@pytest.mark.parametrize(
    ("stage", "days"), [("new", 30), ("screening", 30), ("interview", 45), ("offer", 60)]
)
def test_applications_untouched_for_too_long_are_rejected(stage: str, days: int, platform: Any) -> None:
    post = job(rows.tenant())
    stale = application(post, platform.now, days=days + 0.01, stage=stage)
    stay(stale, stage, platform.now, days + 0.01)
    kept = application(post, platform.now, days=days, stage=stage)
    assert reject(now=platform.now, tenant_id=rows.tenant().pk)["rejected"] == 0
    summary = reject(now=platform.now)
    assert (summary["rejected"], summary[f"rejected_{stage}"]) == (1, 1)
    stale.refresh_from_db()
    kept.refresh_from_db()
    assert (stale.stage, stale.touched_at, kept.stage) == ("rejected", platform.now, stage)
    assert stale.rejection == f"Nothing happened for {days} days in stage '{stage}'."
    stays = set(StageStay.objects.values_list("stage", "left_at"))
    assert stays == {(stage, platform.now), ("rejected", None)}
    assert reject(now=platform.now)["rejected"] == 0


def test_what_is_decided_is_never_rejected(platform: Any) -> None:
    post = job(rows.tenant())
    for stage in ("hired", "rejected", "withdrawn"):
        application(post, platform.now, days=900, stage=stage)
    assert reject(now=platform.now)["rejected"] == 0
    assert set(Application.objects.values_list("rejection", flat=True)) == {""}


def test_pipeline_statistics(platform: Any) -> None:
    now = platform.now
    post, other = job(rows.tenant()), job(rows.tenant())
    went, skipped, waits, refused = (application(post, now) for _ in range(4))
    stay(went, "new", now, 10, 8)
    stay(went, "screening", now, 8)
    stay(skipped, "new", now, 5, 1)
    stay(skipped, "interview", now, 1)
    stay(waits, "new", now, 2)
    stay(refused, "new", now, 4, 0)
    stay(refused, "rejected", now, 0)
    stay(application(other, now), "new", now, 6)
    PipelineStatistic.objects.create(
        job=post, stage="offer", applications=3, computed_at=now - timedelta(hours=4)
    )
    summary = measure(now=now, tenant_id=post.tenant_id)
    assert (summary["looked_at"], summary["updated"], summary["dropped"]) == (1, 4, 1)
    columns = ("stage", "applications", "mean_days", "conversion", "computed_at")
    assert set(PipelineStatistic.objects.filter(job=post).values_list(*columns)) == {
        ("new", 4, 3.0, 0.5, now),  # (2 + 4 + 2 + 4) / 4 days; two of four came further
        ("screening", 1, 8.0, 0.0, now),
        ("interview", 1, 1.0, 0.0, now),
        ("rejected", 1, None, None, now),
    }
    later = now + timedelta(days=1)
    assert measure(now=later)["looked_at"] == 2
    assert PipelineStatistic.objects.count() == 5
    assert PipelineStatistic.objects.get(job=other).mean_days == 7.0


def test_both_sides_are_reminded_a_day_and_an_hour_before(platform: Any) -> None:
    owner = rows.tenant(rows.HOSTILE[0])
    host = rows.user(owner)
    row = application(job(owner), platform.now)
    row.candidate.name = rows.HOSTILE[0]
    row.candidate.save()
    interview(row, platform.now, 30, interviewer=host)
    sent = []
    for hours in (5.9, 6, 6.5, 28.9, 29, 29.5, 30, 31):
        announce(now=platform.now + timedelta(hours=hours))
        sent.append(len(platform.inbox.messages))
    assert sent == [0, 2, 2, 2, 4, 4, 4, 4]
    assert [m["To"] for m in platform.inbox.messages] == [row.candidate.email, host.email] * 2
    for message in platform.inbox.messages:
        assert "<script>" not in message.get_body(("html",)).get_content()


def test_an_interview_that_is_moved_is_reminded_of_anew(platform: Any) -> None:
    meeting = interview(application(job(rows.tenant()), platform.now), platform.now, 5)
    assert announce(now=platform.now)["mailed"] == 2
    meeting.starts_at += timedelta(hours=3)
    meeting.save()
    assert announce(now=platform.now)["mailed"] == 2
    assert announce(now=platform.now)["mailed"] == 0


def test_who_receives_the_candidate_when_there_is_no_interviewer(platform: Any) -> None:
    owner = rows.tenant()
    recruiter, gone = rows.user(owner), rows.user(owner, is_active=False)
    interview(application(job(owner, recruiter=recruiter), platform.now), platform.now, 2, interviewer=gone)
    interview(application(job(owner), platform.now), platform.now, 2)
    announce(now=platform.now)
    assert {message["To"] for message in platform.inbox.messages} >= {recruiter.email, owner.email}


def test_nobody_is_reminded_of_an_interview_that_will_not_be(platform: Any) -> None:
    post = job(rows.tenant())
    interview(application(post, platform.now), platform.now, 2, state="cancelled")
    interview(application(post, platform.now, stage="withdrawn"), platform.now, 2)
    interview(application(post, platform.now), platform.now, -0.1)
    interview(application(post, platform.now), platform.now, 2)
    assert announce(now=platform.now, tenant_id=rows.tenant().pk)["looked_at"] == 0
    assert announce(now=platform.now)["looked_at"] == 1


def test_postings_close_on_their_date(platform: Any) -> None:
    owner, second = rows.tenant(), timedelta(seconds=1)
    due = job(owner, closes_at=platform.now)
    kept = [job(owner, closes_at=platform.now + second), job(owner), job(owner, state="draft")]
    elsewhere = job(rows.tenant(), closes_at=platform.now - timedelta(days=3))
    assert ats.expire_job_postings(now=platform.now, tenant_id=elsewhere.tenant_id)["closed"] == 1
    assert ats.expire_job_postings(now=platform.now)["closed"] == 1
    due.refresh_from_db()
    assert (due.state, due.closed_at) == ("closed", platform.now)
    assert set(Job.objects.filter(closed_at=None)) == set(kept)


def test_an_application_is_processed_once(platform: Any) -> None:
    owner = rows.tenant()
    recruiter = rows.user(owner)
    row = application(job(owner, recruiter=recruiter), platform.now, days=1)
    stay(row, "new", platform.now, 1)
    other = application(row.job, platform.now)
    assert process(row.pk, now=platform.now, tenant_id=rows.tenant().pk)["skipped"] == 1
    summary = process(row.pk, now=platform.now)
    assert (summary["processed"], summary["mailed"]) == (1, 1)
    row.refresh_from_db()
    assert (row.stage, row.touched_at, row.scored_at) == ("screening", platform.now, platform.now)
    assert row.score is not None
    (message,) = platform.inbox.messages
    assert message["To"] == recruiter.email

    again = process(row.pk, now=platform.now + timedelta(hours=1))
    assert (again["processed"], again["mailed"]) == (0, 0)
    stays = set(StageStay.objects.values_list("application", "stage", "left_at"))
    assert stays == {(row.pk, "new", platform.now), (row.pk, "screening", None)}
    other.refresh_from_db()
    assert (other.stage, other.score) == ("new", None)


def test_a_letter_whose_run_was_killed_goes_with_the_next(platform: Any) -> None:
    row = application(job(rows.tenant()), platform.now)
    platform.inbox.hang_up_after = 0
    with pytest.raises(Exception, match=r"gone|close|disconnect|421"):
        process(row.pk, now=platform.now)
    assert Mail.objects.get().state == "queued"
    platform.inbox.hang_up_after = None
    assert process(row.pk, now=platform.now)["mailed"] == 1


def test_an_application_that_is_gone_is_skipped(platform: Any) -> None:
    summary = process(12345, now=platform.now)
    assert summary["skipped_ids"] == ["application 12345"]
