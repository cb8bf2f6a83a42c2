"""What people are told and tell each other: notifications, appointments, conversations."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.world import World
from tasks.models import Appointment, Conversation, DigestPreference, Message, Notification, Participant

NOTIFICATIONS = 1000  # at scale 1
URGENT = 40  # notifications that are due now, or failed a short while ago
APPOINTMENTS = 60
CONVERSATIONS = 120
MESSAGES = 1200
STATES = (("delivered", 80), ("scheduled", 14), ("failed", 6))


def make_notifications(world: World) -> int:
    """Read and unread ones, some due now, some failed, some older than is kept."""
    dice = world.dice("notifications")
    rows = []
    for _ in range(world.many(NOTIFICATIONS)):
        state = world.pick(dice, STATES)
        due = world.recently(dice, 4) if dice.random() < 0.8 else world.ago(dice, 91, 130)
        due = world.now - timedelta(hours=dice.uniform(-24, 1)) if state == "scheduled" else due
        failed = world.now - timedelta(hours=dice.uniform(0.5, 30)) if state == "failed" else None
        read = due + timedelta(hours=3) if state == "delivered" and dice.random() < 0.5 else None
        rows.append(
            Notification(
                user=dice.choice(world.users),
                channel="email" if dice.random() < 0.3 else "in_app",
                title=dice.choice(
                    ("New application", "Interview moved", "Document to sign", "Request approved")
                ),
                body=dice.choice(words.TEXTS),
                state=state,
                deliver_at=min(due, failed) if failed else due,
                delivered_at=due if state == "delivered" else None,
                read_at=read,
                attempts=dice.randint(1, 3) if failed else int(state == "delivered"),
                failed_at=failed,
            )
        )
    world.save(rows)
    digests = [
        DigestPreference(user=user, daily=dice.random() < 0.4, weekly=dice.random() < 0.5)
        for user in world.users
    ]
    world.save(digests)
    return len(rows) + len(digests) + _make_urgent(world)


def _make_urgent(world: World) -> int:
    """Notifications that the next run delivers, or tries again; at any scale there are some of each."""
    dice = world.dice("urgent notifications")
    rows = []
    for number in range(max(4, world.many(URGENT))):
        failed = number % 2 == 1
        rows.append(
            Notification(
                user=dice.choice(world.users),
                channel="email" if number % 4 < 2 else "in_app",
                title=dice.choice(("Interview today", "Offer to approve", "Payment failed")),
                body=dice.choice(words.TEXTS),
                state="failed" if failed else "scheduled",
                deliver_at=world.now - timedelta(minutes=dice.uniform(40, 300) if failed else 5),
                attempts=int(failed),
                failed_at=world.now - timedelta(minutes=dice.uniform(20, 35)) if failed else None,
                detail="the mail server does not answer" if failed else "",
            )
        )
    return len(world.save(rows))


def make_appointments(world: World) -> int:
    """Appointments of the past and the coming days."""
    dice = world.dice("appointments")
    rows = []
    for _ in range(world.many(APPOINTMENTS)):
        users = world.team(dice)
        starts = world.now + timedelta(hours=dice.uniform(-72, 72))
        rows.append(
            Appointment(
                tenant_id=users[0].tenant_id,
                organizer=users[0],
                guest=users[1],
                title=dice.choice(("Kick-off", "Salary talk", "Planning", "Review")),
                starts_at=starts,
                ends_at=starts + timedelta(minutes=30),
            )
        )
    world.save(rows)
    return len(rows)


def make_conversations(world: World) -> int:
    """Conversations of two colleagues: fresh and unread messages, very old ones, and some spam."""
    dice = world.dice("conversations")
    pairs = [world.team(dice) for _ in range(world.many(CONVERSATIONS))]
    threads = world.save(
        [
            Conversation(
                tenant_id=users[0].tenant_id,
                title=dice.choice(words.NEWS),
                created_at=world.ago(dice, 30, 800),
            )
            for users in pairs
        ]
    )
    participants = [
        Participant(conversation=thread, user=user, read_at=world.recently(dice, 2))
        for thread, users in zip(threads, pairs, strict=True)
        for user in users
    ]
    world.save(participants)
    messages = []
    for thread, count in world.shares(list(zip(threads, pairs, strict=True)), MESSAGES, least=1):
        for _ in range(count):
            at = world.recently(dice, 10) if dice.random() < 0.93 else world.ago(dice, 735, 900)
            fresh = (world.now - at) < timedelta(hours=2)
            state = dice.choice(("sent", "failed", "delivered")) if fresh else "delivered"
            messages.append(
                Message(
                    conversation=thread[0],
                    sender=dice.choice(thread[1]),
                    text=words.SPAM if dice.random() < 0.01 else dice.choice(words.TEXTS),
                    state=state,
                    sent_at=at,
                    delivered_at=at + timedelta(seconds=2) if state == "delivered" else None,
                    attempts=int(state != "sent"),
                    attempted_at=at if state != "sent" else None,
                )
            )
    spammer = pairs[0][0]
    messages += [
        Message(
            conversation=threads[0],
            sender=spammer,
            text=words.SPAM,
            sent_at=world.now - timedelta(minutes=30, seconds=-number),
        )
        for number in range(25)
    ]
    world.save(messages)
    return len(threads) + len(participants) + len(messages)
