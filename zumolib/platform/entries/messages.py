"""Messages: digests, newsletters, campaigns, notifications, conversations."""

from __future__ import annotations

from zumolib.platform.entries.entry import Cron, Entry, Every

ENTRIES: dict[str, tuple[Entry, ...]] = {
    "Notifications & Digest": (
        Entry(
            "send-daily-digest",
            "zumodra.tasks.send_daily_digest",
            Cron(0, 8),
            "One e-mail per opted-in user with yesterday's activity of their tenant; none twice for one day.",
        ),
        Entry(
            "send-weekly-summary",
            "zumodra.tasks.send_weekly_summary",
            Cron(0, 9, day_of_week="monday"),
            "One e-mail per tenant administrator with the week's totals.",
            queue="emails",
        ),
        Entry(
            "send-appointment-reminders",
            "notifications.tasks.send_appointment_reminders",
            Every(60),
            "Remind both sides of appointments that start in the next 24 hours and were not reminded yet.",
        ),
    ),
    "Newsletter & Marketing": (
        Entry(
            "send-scheduled-newsletters",
            "newsletter.tasks.send_scheduled_newsletters",
            Every(60),
            "Send the newsletters due this hour to their subscribers, resumable, one message per subscriber.",
        ),
        Entry(
            "cleanup-newsletter-stats",
            "newsletter.tasks.cleanup_old_statistics",
            Cron(30, 4, day_of_month=1),
            "Delete newsletter statistics older than a year.",
        ),
        Entry(
            "process-scheduled-campaigns",
            "marketing.tasks.process_scheduled_campaigns",
            Every(60),
            "Start the campaigns that are due and send their next batch.",
            queue="emails",
        ),
        Entry(
            "calculate-conversion-metrics",
            "marketing.tasks.calculate_conversion_metrics",
            Cron(0, 1),
            "Visit to sign-up and sign-up to subscription rates for yesterday.",
            queue="analytics",
        ),
        Entry(
            "cleanup-old-visits",
            "marketing.tasks.cleanup_old_visits",
            Cron(0, 4, day_of_week="sunday"),
            "Delete visits older than 90 days.",
        ),
        Entry(
            "sync-newsletter-subscribers",
            "marketing.tasks.sync_newsletter_subscribers",
            Every(120),
            "Push new and removed subscribers to the mailing provider, pull its unsubscribes.",
            queue="emails",
        ),
        Entry(
            "calculate-lead-scores",
            "marketing.tasks.calculate_lead_scores",
            Cron(30, "*/6"),
            "Score prospects by visits, opens, downloads and company fit.",
            queue="analytics",
        ),
    ),
    "Notifications System": (
        Entry(
            "process-scheduled-notifications",
            "notifications.tasks.process_scheduled_notifications",
            Every(1),
            "Deliver notifications that are due, each once, in batches.",
        ),
        Entry(
            "retry-failed-notifications",
            "notifications.tasks.retry_failed_notifications",
            Every(60),
            "Try again failed notifications younger than `max_age_hours`, with growing pauses, up to 5 "
            "times.",
            kwargs={"max_age_hours": 24},
        ),
        Entry(
            "send-notification-daily-digest",
            "notifications.tasks.send_daily_digest",
            Cron(0, 8),
            "One digest of unread notifications per subscribed user per day.",
        ),
        Entry(
            "send-notification-weekly-digest",
            "notifications.tasks.send_weekly_digest",
            Cron(0, 9, day_of_week="monday"),
            "One digest of the week per subscribed user.",
        ),
        Entry(
            "cleanup-old-notifications",
            "notifications.tasks.cleanup_old_notifications",
            Cron(0, 3, day_of_week="saturday"),
            "Delete read or dismissed notifications older than `days`.",
            kwargs={"days": 90},
        ),
    ),
    "Messages System": (
        Entry(
            "cleanup-old-messages",
            "messages_sys.tasks.cleanup_old_messages",
            Cron(0, 3, day_of_week="sunday"),
            "Archive messages older than 2 years, delete archives older than 5.",
        ),
        Entry(
            "send-unread-notifications",
            "messages_sys.tasks.send_unread_notifications",
            Cron(0, "*/4"),
            "E-mail users with messages unread for over an hour, at most once per 4 hours.",
            queue="emails",
        ),
        Entry(
            "update-conversation-stats",
            "messages_sys.tasks.update_conversation_stats",
            Cron(0, 2),
            "Message counts, last activity and participants' activity per conversation.",
        ),
        Entry(
            "update-delivery-status",
            "messages_sys.tasks.update_delivery_status",
            Every(5),
            "Move sent messages to delivered or failed, retrying failed deliveries.",
        ),
        Entry(
            "generate-contact-suggestions",
            "messages_sys.tasks.generate_contact_suggestions",
            Cron(0, 5),
            "Suggest contacts by shared conversations and employers.",
        ),
        Entry(
            "detect-spam-messages",
            "messages_sys.tasks.detect_spam_messages",
            Every(60),
            "Flag messages by rate, repeated text and link density.",
        ),
    ),
}
