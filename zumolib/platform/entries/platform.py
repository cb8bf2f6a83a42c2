"""The platform itself: maintenance, caches, security, configuration."""

from __future__ import annotations

from zumolib.platform.entries.entry import Cron, Entry, Every

ENTRIES: dict[str, tuple[Entry, ...]] = {
    "System Maintenance": (
        Entry(
            "cleanup-expired-sessions-daily",
            "core.tasks.maintenance_tasks.cleanup_old_sessions_task",
            Cron(0, 3),
            "Delete login sessions idle for more than `days`, in batches, so that a long table never locks.",
            kwargs={"days": 30},
        ),
        Entry(
            "cleanup-old-audit-logs",
            "zumodra.tasks.cleanup_old_audit_logs",
            Cron(0, 4, day_of_week="sunday"),
            "Write audit entries older than `days` to a gzip archive, check the archive, then delete them.",
            kwargs={"days": 90},
        ),
        Entry(
            "backup-database",
            "zumodra.tasks.backup_database",
            Cron(0, 2),
            "Dump the business database to a dated compressed file with pg_dump, verify it lists its "
            "tables, record size and duration.",
        ),
        Entry(
            "health-check-integrations",
            "zumodra.tasks.health_check_integrations",
            Every(15),
            "Try payment provider, SMTP, cache, database and broker; store each one's state and latency; "
            "notify on a change of state.",
        ),
        Entry(
            "cleanup-expired-sessions",
            "zumodra.tasks.cleanup_expired_sessions",
            Cron(30, 3),
            "Delete login sessions past their expiry (legacy twin of the daily one).",
        ),
    ),
    "Cache & Performance": (
        Entry(
            "cache-warming-hourly",
            "core.tasks.background_tasks.cache_warming_task",
            Cron(0),
            "Compute the most read aggregates and put them in the cache (Redis db 0), reporting hits saved.",
        ),
        Entry(
            "update-dashboard-cache-30min",
            "analytics.tasks.update_dashboard_cache",
            Every(30),
            "Refresh the dashboard aggregates of every tenant in the cache.",
        ),
    ),
    "Security": (
        Entry(
            "cleanup-audit-logs",
            "security.tasks.cleanup_audit_logs",
            Cron(0, 4, day_of_week="sunday"),
            "Archive audit logs older than 90 days, delete archives older than 2 years.",
        ),
        Entry(
            "analyze-failed-logins",
            "security.tasks.analyze_failed_logins",
            Every(30),
            "Find addresses and accounts with bursts of failed logins; block and record.",
        ),
        Entry(
            "expire-sessions",
            "security.tasks.expire_sessions",
            Cron(0, "*/6"),
            "End idle sessions and revoke their tokens.",
        ),
        Entry(
            "generate-security-report",
            "security.tasks.generate_security_report",
            Cron(30, 6),
            "Yesterday's logins, blocks and anomalies as a stored report.",
        ),
        Entry(
            "detect-anomalies",
            "security.tasks.detect_anomalies",
            Cron(0, "*/2"),
            "Per user: new country, odd hour or volume against the last 30 days.",
        ),
        Entry(
            "check-password-expiry",
            "security.tasks.check_password_expiry",
            Cron(0, 7),
            "Warn at 14, 7 and 1 days before the password's end; force a reset after it.",
            queue="emails",
        ),
        Entry(
            "update-ip-reputation",
            "security.tasks.update_ip_reputation",
            Cron(30, "*/4"),
            "Decay and update reputation scores from recent behaviour; expire blocks.",
        ),
    ),
    "Maintenance (Scale)": (
        Entry(
            "backup-rotation-weekly",
            "core.tasks.maintenance_tasks.backup_rotation_task",
            Cron(0, 2, day_of_week="sunday"),
            "Delete backups by retention: never below `min_backups`, never above `max_backups`.",
            kwargs={"retention_days": 30, "max_backups": 100, "min_backups": 7},
        ),
        Entry(
            "ssl-renewal-check",
            "core.tasks.maintenance_tasks.ssl_renewal_check_task",
            Cron(30, "*/6"),
            "Read the certificate of each configured domain; warn and alert by days left.",
            kwargs={"warning_days": 30, "critical_days": 7, "notify_admins": True},
        ),
        Entry(
            "failed-payment-retry-core",
            "core.tasks.maintenance_tasks.failed_payment_retry_task",
            Cron(15, "*/4"),
            "Retry failed payments in batches with exponential pauses (`max_retries`, "
            "`retry_after_hours`, `batch_size`).",
            queue="payments",
            kwargs={"max_retries": 3, "retry_after_hours": 24, "batch_size": 50},
        ),
        Entry(
            "cleanup-temp-files",
            "core.tasks.maintenance_tasks.cleanup_temp_files_task",
            Cron(45, "*/12"),
            "Delete files older than `max_age_hours` under the temp folder, never following links out of it.",
            kwargs={"max_age_hours": 24},
        ),
        Entry(
            "database-vacuum-weekly",
            "core.tasks.maintenance_tasks.database_vacuum_task",
            Cron(30, 4, day_of_week="saturday"),
            "VACUUM (ANALYZE) the business tables; report dead rows before and after.",
            kwargs={"analyze": True},
        ),
    ),
    "Configuration": (
        Entry(
            "sync-skills-from-external",
            "configurations.tasks.sync_skills_from_external",
            Cron(0, 5, day_of_week="sunday"),
            "Merge a skills feed (a file or URL) into the skills table.",
        ),
        Entry(
            "cleanup-unused-categories",
            "configurations.tasks.cleanup_unused_categories",
            Cron(0, 4, day_of_week="sunday"),
            "Delete categories with no items, inactive for 90 days.",
        ),
        Entry(
            "update-company-stats",
            "configurations.tasks.update_company_stats",
            Cron(30, 2),
            "Employees, open jobs and mean rating per company.",
        ),
        Entry(
            "check-data-integrity",
            "configurations.tasks.check_data_integrity",
            Cron(30, 3, day_of_week="sunday"),
            "Count orphans, bad references and missing fields; store the findings.",
        ),
        Entry(
            "warm-configuration-cache",
            "configurations.tasks.warm_configuration_cache",
            Cron(0, "*/4"),
            "Put active skills, category tree and company look-ups in the cache.",
        ),
    ),
    "Health Check": (
        Entry(
            "celery-health-check",
            "zumodra.celery.health_check",
            Every(5),
            "Status, time, Python version, platform, task id and worker hostname.",
        ),
    ),
}
