"""The business: tenants, figures, the marketplace, money."""

from __future__ import annotations

from zumolib.platform.entries.entry import Cron, Entry, Every

ENTRIES: dict[str, tuple[Entry, ...]] = {
    "Tenant Management": (
        Entry(
            "check-usage-limits",
            "tenants.tasks.check_usage_limits",
            Every(60),
            "Compare each tenant's usage with its plan's limits; warn at 80 %, flag at 100 %.",
        ),
        Entry(
            "send-trial-reminders",
            "tenants.tasks.send_trial_reminders",
            Cron(0, 10),
            "E-mail tenants whose trial ends in 7, 3 or 1 days, once per mark.",
            queue="emails",
        ),
        Entry(
            "calculate-tenant-usage",
            "tenants.tasks.calculate_tenant_usage",
            Cron(0, 1),
            "Recompute users, open jobs, candidates and storage per tenant for the day.",
        ),
        Entry(
            "expire-trial-tenants",
            "tenants.tasks.expire_trial_tenants",
            Cron(30, 0),
            "Set tenants whose trial ended without a subscription to expired.",
        ),
        Entry(
            "cleanup-expired-invitations",
            "tenants.tasks.cleanup_expired_invitations",
            Cron(0, 5),
            "Set pending invitations past their expiry to expired; purge those expired for 30 days.",
        ),
    ),
    "Analytics": (
        Entry(
            "calculate-daily-metrics",
            "analytics.tasks.calculate_daily_metrics",
            Cron(0, 1),
            "Yesterday's hiring, revenue and activity figures per tenant, recomputable.",
        ),
        Entry(
            "calculate-weekly-metrics",
            "analytics.tasks.calculate_weekly_metrics",
            Cron(0, 2, day_of_week="monday"),
            "Last week's figures from the daily ones.",
        ),
        Entry(
            "calculate-monthly-metrics",
            "analytics.tasks.calculate_monthly_metrics",
            Cron(0, 3, day_of_month=1),
            "Last month's figures from the daily ones.",
        ),
        Entry(
            "generate-reports",
            "analytics.tasks.generate_reports",
            Cron(0, 7),
            "Run the daily operations report notebook with papermill for yesterday, store it under "
            "reports/, e-mail it to administrators.",
        ),
        Entry(
            "cleanup-old-page-views",
            "analytics.tasks.cleanup_old_page_views",
            Cron(0, 4, day_of_week="sunday"),
            "Archive page views older than `days` and delete them.",
            kwargs={"days": 90},
        ),
        Entry(
            "calculate-diversity-metrics",
            "analytics.tasks.calculate_diversity_metrics",
            Cron(30, 2, day_of_week="sunday"),
            "Shares per group per tenant, suppressed where a group has fewer than 5 people.",
        ),
        Entry(
            "update-dashboard-cache",
            "analytics.tasks.update_dashboard_cache",
            Every(30),
            "The same task as update-dashboard-cache-30min, scheduled a second time in the source: keep "
            "both entries, the schedule audit must find the pair.",
        ),
    ),
    "Marketplace Services": (
        Entry(
            "send-contract-reminders",
            "services.tasks.send_contract_reminders",
            Cron(0, 9),
            "Remind of contracts waiting for signature or ending within 7 days.",
        ),
        Entry(
            "expire-old-proposals",
            "services.tasks.expire_old_proposals",
            Cron(0, 1),
            "Expire proposals pending for over 30 days.",
        ),
        Entry(
            "calculate-provider-ratings",
            "services.tasks.calculate_provider_ratings",
            Cron(0, 2),
            "Weighted mean rating per provider, recent reviews count more.",
        ),
        Entry(
            "cleanup-abandoned-requests",
            "services.tasks.cleanup_abandoned_requests",
            Cron(0, 3),
            "Close service requests without activity for 60 days.",
        ),
        Entry(
            "update-contract-statuses",
            "services.tasks.update_contract_statuses",
            Cron(0, "*/6"),
            "Activate, complete or mark overdue by dates.",
        ),
        Entry(
            "update-service-statistics",
            "services.tasks.update_service_statistics",
            Cron(0, 4),
            "Views, orders and conversion per service.",
        ),
        Entry(
            "process-escrow-releases",
            "services.tasks.process_escrow_releases",
            Cron(30, "*/4"),
            "Release escrows whose contract is complete and whose hold has passed; never twice; ledger "
            "stays balanced.",
            queue="payments",
        ),
    ),
    "Finance & Payments": (
        Entry(
            "sync-stripe-subscriptions",
            "finance.tasks.sync_stripe_subscriptions",
            Every(360),
            "Reconcile subscriptions with the payment provider's API, page by page.",
        ),
        Entry(
            "process-failed-payments",
            "finance.tasks.retry_failed_payments",
            Cron(0, 10),
            "Retry failed payments that are due under their retry limit, idempotency key per attempt.",
        ),
        Entry(
            "send-invoice-reminders",
            "finance.tasks.send_invoice_reminders",
            Cron(0, 9),
            "Remind of invoices due in 3 days, due today, 7 and 14 days overdue.",
            queue="emails",
        ),
        Entry(
            "generate-monthly-invoices",
            "finance.tasks.generate_monthly_invoices",
            Cron(0, 0, day_of_month=1),
            "One invoice per active subscription per month, pro-rated for changes; running twice makes "
            "none twice.",
        ),
        Entry(
            "sync-stripe-payments",
            "finance.tasks.sync_stripe_payments",
            Every(60),
            "Settle pending payments by asking the provider.",
        ),
        Entry(
            "process-pending-refunds",
            "finance.tasks.process_pending_refunds",
            Cron(0, "*/4"),
            "Submit approved refunds to the provider and book them.",
        ),
        Entry(
            "update-subscription-status",
            "finance.tasks.update_subscription_status",
            Cron(30, 0),
            "Past-due, cancelled and renewed subscriptions by payments and dates.",
        ),
    ),
}
