"""People: accounts, recruitment, employees, the public careers site."""

from __future__ import annotations

from zumolib.platform.entries.entry import Cron, Entry, Every

ENTRIES: dict[str, tuple[Entry, ...]] = {
    "Account & Authentication": (
        Entry(
            "cleanup-expired-tokens",
            "tenant_profiles.tasks.cleanup_expired_tokens",
            Cron(30, 4),
            "Delete expired authentication, password-reset and e-mail-verification tokens.",
        ),
        Entry(
            "kyc-verification-reminder",
            "tenant_profiles.tasks.kyc_verification_reminder",
            Cron(0, 11),
            "Remind users whose identity check was begun and not finished, or whose documents end soon.",
            queue="emails",
        ),
        Entry(
            "expire-kyc-verifications",
            "tenant_profiles.tasks.expire_kyc_verifications",
            Cron(0, 0),
            "Mark identity checks past their end date as expired.",
        ),
        Entry(
            "cleanup-old-login-history",
            "tenant_profiles.tasks.cleanup_old_login_history",
            Cron(30, 3, day_of_week="sunday"),
            "Delete login history older than `days`, in batches.",
            kwargs={"days": 180},
        ),
        Entry(
            "expire-consents",
            "tenant_profiles.tasks.expire_consents",
            Cron(30, 1),
            "Mark consents past their end date as expired.",
        ),
        Entry(
            "expire-old-verifications",
            "tenant_profiles.tasks.expire_old_verifications",
            Cron(45, 0),
            "Mark employment and education verifications past their end date as expired.",
        ),
    ),
    "ATS & Recruitment": (
        Entry(
            "calculate-match-scores",
            "ats.tasks.calculate_match_scores",
            Every(120),
            "Score every open application against its job: skills overlap, experience, location, salary.",
        ),
        Entry(
            "send-application-reminders",
            "ats.tasks.send_application_reminders",
            Cron(30, 9),
            "Remind recruiters of applications that stayed in stage 'new' for over 3 days.",
            queue="emails",
        ),
        Entry(
            "auto-reject-stale-applications",
            "ats.tasks.auto_reject_stale_applications",
            Cron(0, 6),
            "Reject applications untouched for longer than their stage allows, with a reason.",
        ),
        Entry(
            "update-pipeline-statistics",
            "ats.tasks.update_pipeline_statistics",
            Cron(0, "*/4"),
            "Per job and stage: how many, mean time in stage, conversion to the next stage.",
        ),
        Entry(
            "send-interview-reminders",
            "ats.tasks.send_interview_reminders",
            Cron("*/30"),
            "Remind both sides 24 hours and 1 hour before an interview, once each.",
            queue="emails",
        ),
        Entry(
            "expire-job-postings",
            "ats.tasks.expire_job_postings",
            Cron(15, 0),
            "Close job postings past their closing date.",
        ),
    ),
    "HR Core": (
        Entry(
            "process-time-off-accruals",
            "hr_core.tasks.process_time_off_accruals",
            Cron(0, 0, day_of_month=1),
            "Add the month's accrual to each employee's balances by policy and years of service; once per "
            "month.",
        ),
        Entry(
            "send-onboarding-reminders",
            "hr_core.tasks.send_onboarding_reminders",
            Cron(30, 8),
            "Remind new hires, their managers and HR of overdue onboarding tasks.",
            queue="emails",
        ),
        Entry(
            "process-probation-ends",
            "hr_core.tasks.process_probation_ends",
            Cron(0, 7),
            "Notify of probations that end today or within 7 days; close those that ended.",
        ),
        Entry(
            "send-time-off-reminders",
            "hr_core.tasks.send_time_off_reminders",
            Cron(0, 16),
            "Remind managers of time-off requests pending for over 2 days.",
            queue="emails",
        ),
        Entry(
            "update-employee-anniversaries",
            "hr_core.tasks.update_employee_anniversaries",
            Cron(30, 6),
            "Congratulate on today's work anniversaries; announce 5, 10, 15 and 20 years ahead.",
        ),
        Entry(
            "expire-pending-documents",
            "hr_core.tasks.expire_pending_documents",
            Cron(30, 5),
            "Expire documents whose signature deadline has passed.",
        ),
    ),
    "Careers & Public Site": (
        Entry(
            "process-public-applications",
            "careers.tasks.process_public_applications",
            Every(5),
            "Turn applications from the public site into candidates and applications; detect duplicates; "
            "confirm by e-mail.",
        ),
        Entry(
            "update-job-view-counts",
            "careers.tasks.update_job_view_counts",
            Cron(15, "*/6"),
            "Fold raw job views into per-listing counts.",
        ),
        Entry(
            "sync-job-listings",
            "careers.tasks.sync_job_listings",
            Every(10),
            "Make the public listings match the open postings: add, update, unpublish.",
        ),
        Entry(
            "generate-sitemap",
            "careers.tasks.generate_sitemap",
            Cron(0, 5),
            "Write a valid sitemap.xml of all public listings, atomically.",
        ),
    ),
}
