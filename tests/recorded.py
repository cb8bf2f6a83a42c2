"""A small recorded history, the same at every run: two days of the 94 entries on two workers.

The window is Monday 2026-11-16 00:00 to Wednesday 2026-11-18 00:00 UTC. Every entry fires as its
schedule says (those whose day is not in the window are called once by hand), waits in its queue for
a free process, runs, sometimes fails or is retried. Three things happened, for figures to find:

- Monday 14:00 to 14:40, ``notifications`` ran slowly and its queue grew
- Tuesday 10:00 to 11:30, the payment provider timed out: ``payments`` tasks were retried and failed
- Tuesday 16:00, an operator revoked three waiting tasks

What the notebooks are run on also has the same two days of the week before, in which nothing happened and
two tasks were quicker, and a worker that began anew on Tuesday 05:10.

It is written as event dictionaries through :func:`zumolib.events.row`, like any recorder's.
"""

from __future__ import annotations

import heapq
import random
import uuid
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from zumolib import events
from zumolib.history import History

START = datetime(2026, 11, 16, tzinfo=UTC)
END = datetime(2026, 11, 18, tzinfo=UTC)
SEED = 20261116

# entry|task|queue|"every <minutes>", or minute, hour, day of month, day of week
ENTRIES = """
    cleanup-expired-sessions-daily|core.tasks.maintenance_tasks.cleanup_old_sessions_task|default|0 3 * *
    cleanup-old-audit-logs|zumodra.tasks.cleanup_old_audit_logs|default|0 4 * sunday
    backup-database|zumodra.tasks.backup_database|default|0 2 * *
    health-check-integrations|zumodra.tasks.health_check_integrations|default|every 15
    cleanup-expired-sessions|zumodra.tasks.cleanup_expired_sessions|default|30 3 * *
    cache-warming-hourly|core.tasks.background_tasks.cache_warming_task|default|0 * * *
    update-dashboard-cache-30min|analytics.tasks.update_dashboard_cache|analytics|every 30
    send-daily-digest|zumodra.tasks.send_daily_digest|emails|0 8 * *
    send-weekly-summary|zumodra.tasks.send_weekly_summary|emails|0 9 * monday
    send-appointment-reminders|notifications.tasks.send_appointment_reminders|emails|every 60
    check-usage-limits|tenants.tasks.check_usage_limits|default|every 60
    send-trial-reminders|tenants.tasks.send_trial_reminders|emails|0 10 * *
    calculate-tenant-usage|tenants.tasks.calculate_tenant_usage|default|0 1 * *
    expire-trial-tenants|tenants.tasks.expire_trial_tenants|default|30 0 * *
    cleanup-expired-invitations|tenants.tasks.cleanup_expired_invitations|default|0 5 * *
    cleanup-expired-tokens|tenant_profiles.tasks.cleanup_expired_tokens|hr|30 4 * *
    kyc-verification-reminder|tenant_profiles.tasks.kyc_verification_reminder|emails|0 11 * *
    expire-kyc-verifications|tenant_profiles.tasks.expire_kyc_verifications|hr|0 0 * *
    cleanup-old-login-history|tenant_profiles.tasks.cleanup_old_login_history|hr|30 3 * sunday
    expire-consents|tenant_profiles.tasks.expire_consents|hr|30 1 * *
    expire-old-verifications|tenant_profiles.tasks.expire_old_verifications|hr|45 0 * *
    calculate-match-scores|ats.tasks.calculate_match_scores|ats|every 120
    send-application-reminders|ats.tasks.send_application_reminders|emails|30 9 * *
    auto-reject-stale-applications|ats.tasks.auto_reject_stale_applications|ats|0 6 * *
    update-pipeline-statistics|ats.tasks.update_pipeline_statistics|ats|0 */4 * *
    send-interview-reminders|ats.tasks.send_interview_reminders|emails|*/30 * * *
    expire-job-postings|ats.tasks.expire_job_postings|ats|15 0 * *
    process-time-off-accruals|hr_core.tasks.process_time_off_accruals|hr|0 0 1 *
    send-onboarding-reminders|hr_core.tasks.send_onboarding_reminders|emails|30 8 * *
    process-probation-ends|hr_core.tasks.process_probation_ends|hr|0 7 * *
    send-time-off-reminders|hr_core.tasks.send_time_off_reminders|emails|0 16 * *
    update-employee-anniversaries|hr_core.tasks.update_employee_anniversaries|hr|30 6 * *
    expire-pending-documents|hr_core.tasks.expire_pending_documents|hr|30 5 * *
    process-public-applications|careers.tasks.process_public_applications|ats|every 5
    update-job-view-counts|careers.tasks.update_job_view_counts|ats|15 */6 * *
    sync-job-listings|careers.tasks.sync_job_listings|ats|every 10
    generate-sitemap|careers.tasks.generate_sitemap|ats|0 5 * *
    calculate-daily-metrics|analytics.tasks.calculate_daily_metrics|analytics|0 1 * *
    calculate-weekly-metrics|analytics.tasks.calculate_weekly_metrics|analytics|0 2 * monday
    calculate-monthly-metrics|analytics.tasks.calculate_monthly_metrics|analytics|0 3 1 *
    generate-reports|analytics.tasks.generate_reports|analytics|0 7 * *
    cleanup-old-page-views|analytics.tasks.cleanup_old_page_views|analytics|0 4 * sunday
    calculate-diversity-metrics|analytics.tasks.calculate_diversity_metrics|analytics|30 2 * sunday
    update-dashboard-cache|analytics.tasks.update_dashboard_cache|analytics|every 30
    send-scheduled-newsletters|newsletter.tasks.send_scheduled_newsletters|emails|every 60
    cleanup-newsletter-stats|newsletter.tasks.cleanup_old_statistics|emails|30 4 1 *
    process-scheduled-campaigns|marketing.tasks.process_scheduled_campaigns|emails|every 60
    calculate-conversion-metrics|marketing.tasks.calculate_conversion_metrics|analytics|0 1 * *
    cleanup-old-visits|marketing.tasks.cleanup_old_visits|default|0 4 * sunday
    sync-newsletter-subscribers|marketing.tasks.sync_newsletter_subscribers|emails|every 120
    calculate-lead-scores|marketing.tasks.calculate_lead_scores|analytics|30 */6 * *
    process-scheduled-notifications|notifications.tasks.process_scheduled_notifications|notifications|every 1
    retry-failed-notifications|notifications.tasks.retry_failed_notifications|notifications|every 60
    send-notification-daily-digest|notifications.tasks.send_daily_digest|emails|0 8 * *
    send-notification-weekly-digest|notifications.tasks.send_weekly_digest|emails|0 9 * monday
    cleanup-old-notifications|notifications.tasks.cleanup_old_notifications|notifications|0 3 * saturday
    send-contract-reminders|services.tasks.send_contract_reminders|default|0 9 * *
    expire-old-proposals|services.tasks.expire_old_proposals|default|0 1 * *
    calculate-provider-ratings|services.tasks.calculate_provider_ratings|default|0 2 * *
    cleanup-abandoned-requests|services.tasks.cleanup_abandoned_requests|default|0 3 * *
    update-contract-statuses|services.tasks.update_contract_statuses|default|0 */6 * *
    update-service-statistics|services.tasks.update_service_statistics|default|0 4 * *
    process-escrow-releases|services.tasks.process_escrow_releases|payments|30 */4 * *
    sync-stripe-subscriptions|finance.tasks.sync_stripe_subscriptions|payments|every 360
    process-failed-payments|finance.tasks.retry_failed_payments|payments|0 10 * *
    send-invoice-reminders|finance.tasks.send_invoice_reminders|emails|0 9 * *
    generate-monthly-invoices|finance.tasks.generate_monthly_invoices|payments|0 0 1 *
    sync-stripe-payments|finance.tasks.sync_stripe_payments|payments|every 60
    process-pending-refunds|finance.tasks.process_pending_refunds|payments|0 */4 * *
    update-subscription-status|finance.tasks.update_subscription_status|payments|30 0 * *
    cleanup-audit-logs|security.tasks.cleanup_audit_logs|default|0 4 * sunday
    analyze-failed-logins|security.tasks.analyze_failed_logins|default|every 30
    expire-sessions|security.tasks.expire_sessions|default|0 */6 * *
    generate-security-report|security.tasks.generate_security_report|default|30 6 * *
    detect-anomalies|security.tasks.detect_anomalies|default|0 */2 * *
    check-password-expiry|security.tasks.check_password_expiry|emails|0 7 * *
    update-ip-reputation|security.tasks.update_ip_reputation|default|30 */4 * *
    backup-rotation-weekly|core.tasks.maintenance_tasks.backup_rotation_task|default|0 2 * sunday
    ssl-renewal-check|core.tasks.maintenance_tasks.ssl_renewal_check_task|default|30 */6 * *
    failed-payment-retry-core|core.tasks.maintenance_tasks.failed_payment_retry_task|payments|15 */4 * *
    cleanup-temp-files|core.tasks.maintenance_tasks.cleanup_temp_files_task|default|45 */12 * *
    database-vacuum-weekly|core.tasks.maintenance_tasks.database_vacuum_task|default|30 4 * saturday
    cleanup-old-messages|messages_sys.tasks.cleanup_old_messages|notifications|0 3 * sunday
    send-unread-notifications|messages_sys.tasks.send_unread_notifications|emails|0 */4 * *
    update-conversation-stats|messages_sys.tasks.update_conversation_stats|notifications|0 2 * *
    update-delivery-status|messages_sys.tasks.update_delivery_status|notifications|every 5
    generate-contact-suggestions|messages_sys.tasks.generate_contact_suggestions|notifications|0 5 * *
    detect-spam-messages|messages_sys.tasks.detect_spam_messages|notifications|every 60
    sync-skills-from-external|configurations.tasks.sync_skills_from_external|default|0 5 * sunday
    cleanup-unused-categories|configurations.tasks.cleanup_unused_categories|default|0 4 * sunday
    update-company-stats|configurations.tasks.update_company_stats|default|30 2 * *
    check-data-integrity|configurations.tasks.check_data_integrity|default|30 3 * sunday
    warm-configuration-cache|configurations.tasks.warm_configuration_cache|default|0 */4 * *
    celery-health-check|zumodra.celery.health_check|default|every 5
"""

# queue: (worker, processes, typical run time in seconds)
QUEUES = {
    "payments": ("critical@zumodra-1", 1, 2.5),
    "emails": ("critical@zumodra-1", 2, 4.0),
    "notifications": ("critical@zumodra-1", 1, 1.5),
    "default": ("general@zumodra-2", 2, 1.0),
    "hr": ("general@zumodra-2", 1, 2.0),
    "ats": ("general@zumodra-2", 1, 6.0),
    "analytics": ("general@zumodra-2", 1, 12.0),
    "celery": ("general@zumodra-2", 1, 0.2),
}

SLOW = (START + timedelta(hours=14), START + timedelta(hours=14, minutes=40))
OUTAGE = (START + timedelta(days=1, hours=10), START + timedelta(days=1, hours=11, minutes=30))
REVOKED = START + timedelta(days=1, hours=16)

RESTART = START + timedelta(days=1, hours=5, minutes=10)  # of the second worker
WEEK = timedelta(days=7)
QUICKER = {
    "ats.tasks.calculate_match_scores": 0.3,
    "analytics.tasks.update_dashboard_cache": 0.6,
}  # a week before

ERRORS = (
    ("OperationalError('connection to server was lost')", "django.db.utils.OperationalError"),
    ("ConnectionRefusedError(111, 'Connection refused')", "ConnectionRefusedError"),
    ("ValueError(\"tenant 'acme' has no plan\")", "ValueError"),
)
TIMEOUT = ("ReadTimeout('payment provider: read timed out after 10 s')", "requests.exceptions.ReadTimeout")


@dataclass(frozen=True)
class Firing:
    """One task that is sent."""

    at: datetime
    name: str
    queue: str
    entry: str | None  # None: called by hand


@dataclass(frozen=True)
class Run:
    """One attempt at a task: when it was sent, and when a process had it."""

    sent: float
    started: float
    finished: float
    queue: str


def make(root: Path | str, *, with_past: bool = False) -> History:
    """Write the history into `root` and return it; `with_past` also has the week before."""
    history = History(root)
    rng = random.Random(SEED)
    found, runs = _simulate(rng, _weights(rng))
    found += _heartbeats(runs, restart=RESTART if with_past else END)
    if with_past:
        usual = {
            name: weight * QUICKER.get(name, 1.0) for name, weight in _weights(random.Random(SEED)).items()
        }
        found += [_earlier(event) for event in _simulate(random.Random(SEED - 1), usual, usual=True)[0]]
    found.sort(key=lambda event: event["timestamp"])
    rows = [
        events.row(event, event["timestamp"] + 0.004)
        for event in found
        if event["timestamp"] < END.timestamp()
    ]
    history.append_events(rows, source="stream")
    history.append_depths(_depths(runs))
    return history


def firings() -> list[Firing]:
    """What is sent in the window, in order of time."""
    found = []
    by_hand = START + timedelta(hours=11, minutes=7)
    for line in ENTRIES.strip().splitlines():
        entry, task, queue, when = (part.strip() for part in line.split("|"))
        due = list(_due(when))
        found += [Firing(at, task, queue, entry) for at in due]
        if not due:
            found.append(Firing(by_hand, task, queue, None))
            by_hand += timedelta(minutes=3)
    # The framework's own queue: an operator's clean-up of results, every six hours.
    found += [
        Firing(START + timedelta(hours=h), "celery.backend_cleanup", "celery", None) for h in range(4, 48, 6)
    ]
    return sorted(found, key=lambda firing: (firing.at, firing.name, firing.entry or ""))


def _due(when: str) -> Iterator[datetime]:
    if when.startswith("every "):
        step = timedelta(minutes=int(when.removeprefix("every ")))
        at = START + step / 2  # an interval counts from when beat began
        while at < END:
            yield at
            at += step
        return
    minute, hour, day_of_month, day_of_week = when.split()
    spec = crontab(minute=minute, hour=hour, day_of_month=day_of_month, day_of_week=day_of_week)
    at = START
    while at < END:
        if (
            at.minute in spec.minute
            and at.hour in spec.hour
            and at.day in spec.day_of_month
            and at.isoweekday() % 7 in spec.day_of_week
        ):
            yield at
        at += timedelta(minutes=1)


def _weights(rng: random.Random) -> dict[str, float]:
    """How much longer than its queue's typical task each one runs."""
    return {name: rng.uniform(0.4, 2.5) for name in sorted({firing.name for firing in firings()})}


def _earlier(event: dict[str, Any]) -> dict[str, Any]:
    """The same event a week before; what ended after the two days did not end yet."""
    moved = {**event, "timestamp": event["timestamp"] - WEEK.total_seconds()}
    if event.get("eta"):
        moved["eta"] = (datetime.fromisoformat(event["eta"]) - WEEK).isoformat()
    return moved


def _simulate(
    rng: random.Random, weight: dict[str, float], *, usual: bool = False
) -> tuple[list[dict[str, Any]], list[Run]]:
    """Events of all tasks, and the runs behind them; `usual` leaves out what happened."""
    found: list[dict[str, Any]] = []
    runs: list[Run] = []
    free = {queue: [0.0] * processes for queue, (_, processes, _) in QUEUES.items()}
    revoked = 0 if usual else 3
    waiting = []
    for number, firing in enumerate(firings()):
        sent = firing.at.timestamp() + rng.uniform(0.01, 0.9)
        waiting.append((sent, number, firing, _uuid(rng), 0, None))
    heapq.heapify(waiting)
    while waiting:
        sent, number, firing, task_id, attempt, eta = heapq.heappop(waiting)
        worker, _, typical = QUEUES[firing.queue]
        base = {"uuid": task_id, "pid": 4100 + len(firing.queue), "utcoffset": 0}
        described = {
            **base, "name": firing.name, "args": "()", "kwargs": "{}", "retries": attempt,
            "root_id": task_id, "parent_id": None, "expires": None,
            "eta": eta and datetime.fromtimestamp(eta, UTC).isoformat(),
        }  # fmt: skip
        found.append(
            {
                **described,
                "type": "task-sent",
                "timestamp": sent,
                "queue": firing.queue,
                "exchange": "",
                "routing_key": firing.queue,
                "entry": firing.entry,
                "hostname": worker if attempt else "beat@zumodra-1" if firing.entry else "jupyter@zumodra-1",
            }
        )
        received = sent + rng.uniform(0.002, 0.02)
        on_worker = {**base, "hostname": worker}
        found.append({**described, **on_worker, "type": "task-received", "timestamp": received})
        if revoked and firing.at >= REVOKED and firing.queue == "analytics":
            revoked -= 1
            found.append(
                {
                    **on_worker,
                    "type": "task-revoked",
                    "timestamp": received + 0.4,
                    "terminated": False,
                    "signum": None,
                    "expired": False,
                }
            )
            continue
        processes = free[firing.queue]
        begin = max(received + rng.uniform(0.001, 0.01), eta or 0.0, heapq.heappop(processes))
        seconds, error = _outcome(rng, firing.queue, begin, typical * weight[firing.name], usual)
        heapq.heappush(processes, begin + seconds)
        runs.append(Run(max(sent, eta or 0.0), begin, begin + seconds, firing.queue))
        found.append({**on_worker, "type": "task-started", "timestamp": begin})
        end = {**on_worker, "timestamp": begin + seconds}
        if error is None:
            found.append(
                {**end, "type": "task-succeeded", "runtime": seconds - 0.002, "result": "{'status': 'ok'}"}
            )
            continue
        end |= {"exception": error[0], "traceback": _traceback(firing.name, error)}
        if attempt < 3 and error[1] != "ValueError":
            again = begin + seconds + 30 * 2**attempt * rng.uniform(0.8, 1.2)
            found.append({**end, "type": "task-retried"})
            heapq.heappush(waiting, (begin + seconds - 0.003, number, firing, task_id, attempt + 1, again))
        else:
            found.append({**end, "type": "task-failed"})
    return found, runs


def _outcome(
    rng: random.Random, queue: str, begin: float, typical: float, usual: bool
) -> tuple[float, tuple[str, str] | None]:
    """Seconds that a run takes, and its error."""
    seconds = typical * rng.lognormvariate(0, 0.4)
    if usual:
        return seconds, None
    if queue == "notifications" and SLOW[0].timestamp() <= begin < SLOW[1].timestamp():
        seconds = rng.uniform(70, 110)
    if queue == "payments" and OUTAGE[0].timestamp() <= begin < OUTAGE[1].timestamp():
        return rng.uniform(10.0, 10.4), TIMEOUT
    return seconds, rng.choice(ERRORS) if rng.random() < 0.012 else None


def _depths(runs: list[Run]) -> list[dict[str, Any]]:
    """Every 60 s: who waited and who ran in each queue."""
    begin, minutes = START.timestamp() + 1.0, int((END - START).total_seconds() // 60)
    ready = {queue: [0] * minutes for queue in QUEUES}
    unacked = {queue: [0] * minutes for queue in QUEUES}
    for run in runs:
        for counts, since, until in ((ready, run.sent, run.started), (unacked, run.started, run.finished)):
            # Samples at begin + 60 n with since <= sample < until.
            low, high = (max(0, min(minutes, -int((begin - moment) // 60))) for moment in (since, until))
            for sample in range(low, high):
                counts[run.queue][sample] += 1
    return [
        {
            "at": START + timedelta(seconds=1 + 60 * sample),
            "queue": queue,
            "ready": ready[queue][sample],
            "unacked": unacked[queue][sample],
            "consumers": 1,
        }
        for sample in range(minutes)
        for queue in QUEUES
    ]


def _heartbeats(runs: list[Run], *, restart: datetime) -> list[dict[str, Any]]:
    """One of each worker every 60 s; the second one has a new process from `restart` on."""
    found = []
    for pid, worker in enumerate(sorted({worker for worker, _, _ in QUEUES.values()}), start=4100):
        own = [run for run in runs if QUEUES[run.queue][0] == worker]
        ends = sorted(run.finished for run in own)
        starts = sorted(run.started for run in own)
        at, started, ended = START.timestamp() + 20, 0, 0
        while at < END.timestamp():
            while started < len(starts) and starts[started] <= at:
                started += 1
            while ended < len(ends) and ends[ended] <= at:
                ended += 1
            active = started - ended
            anew = pid > 4100 and at >= restart.timestamp()
            earlier = bisect(starts, restart.timestamp()) if anew else 0
            found.append(
                {
                    "type": "worker-heartbeat",
                    "timestamp": at,
                    "hostname": worker,
                    "pid": pid + 500 if anew else pid,
                    "utcoffset": 0,
                    "active": active,
                    "processed": started - earlier,
                    "freq": 2.0,
                    "sw_ident": "py-celery",
                    "sw_ver": "5.7.0",
                    "sw_sys": "Linux",
                    "loadavg": [round(0.2 + 0.3 * active, 2), 0.3, 0.25],
                }
            )
            at += 60
    return found


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _traceback(name: str, error: tuple[str, str]) -> str:
    module, _, function = name.rpartition(".")
    path = module.replace(".", "/") + ".py"
    return (
        'Traceback (most recent call last):\n  File "celery/app/trace.py", line 585, in trace_task\n'
        f'    R = retval = fun(*args, **kwargs)\n  File "{path}", line 42, in {function}\n'
        f"{error[1]}: {error[0].partition('(')[2].rstrip(')')}\n"
    )
