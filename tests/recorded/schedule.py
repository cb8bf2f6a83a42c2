"""The recorded two days' schedule: which entry is due when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from celery.schedules import crontab

START = datetime(2026, 11, 16, tzinfo=UTC)
END = datetime(2026, 11, 18, tzinfo=UTC)

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


@dataclass(frozen=True)
class Firing:
    """One task that is sent."""

    at: datetime
    name: str
    queue: str
    entry: str | None  # None: called by hand


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
