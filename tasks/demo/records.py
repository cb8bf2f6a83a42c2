"""What people prove and agree to, and how they log in; some of it has ended and waits to be noticed."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from tasks.demo import words
from tasks.demo.people import address
from tasks.demo.world import World
from tasks.models import (
    AddressReputation,
    Consent,
    IdentityCheck,
    Invitation,
    LoginAttempt,
    LoginSession,
    Token,
    Verification,
)

INVITATIONS = 60  # at scale 1
TOKENS = 300
EACH_END = 3  # of what has just ended or ends soon
LOGINS = 2000
BURST = 25  # failed logins from one address within minutes
ATTACKER = "198.51.100.66"


def make_invitations(world: World) -> int:
    """Pending, accepted and expired ones; some pending ones are past their end."""
    dice = world.dice("invitations")
    rows = []
    for number in range(world.many(INVITATIONS)):
        tenant, created = dice.choice(world.tenants), world.ago(dice, 0, 60)
        expires = created + timedelta(days=14)
        state = (
            dice.choice(("pending", "pending", "accepted", "expired")) if expires < world.now else "pending"
        )
        rows.append(
            Invitation(
                tenant=tenant,
                email=f"guest{number}@mail.example",
                state=state,
                created_at=created,
                expires_at=expires,
                expired_at=expires if state == "expired" else None,
            )
        )
    world.save(rows)
    return len(rows)


def make_tokens(world: World) -> int:
    """Authentication, reset and verification tokens, a third of them past their end."""
    dice = world.dice("tokens")
    kinds = (("authentication", 7), ("password_reset", 60), ("email_verification", 10))
    rows = []
    for number in range(world.many(TOKENS)):
        user, (kind, _) = dice.choice(world.users), dice.choice(kinds)
        created = world.recently(dice, 8)
        rows.append(
            Token(
                user=user,
                kind=kind,
                key=hashlib.sha256(f"{world.key}:token:{number}".encode()).hexdigest(),
                created_at=created,
                expires_at=created + timedelta(days=10),
            )
        )
    # Of the logins themselves: what has to be revoked when an idle one is ended.
    sessions = LoginSession.objects.filter(user__gte=world.users[0].pk).order_by("pk")
    rows += [
        Token(
            user_id=session.user_id,
            session=session,
            kind="authentication",
            key=hashlib.sha256(f"{world.key}:session token:{number}".encode()).hexdigest(),
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
        for number, session in enumerate(sessions)
        if number % 5 == 0
    ]
    world.save(rows)
    return len(rows)


def make_logins(world: World) -> int:
    """Seven months of login history, with a burst of failures in the last half hour and a far country."""
    dice = world.dice("logins")
    homes = {user.pk: (address(dice), dice.choice(words.PLACES)[1]) for user in world.users}
    rows = []
    for _ in range(world.many(LOGINS)):
        user = dice.choice(world.users)
        home, country = homes[user.pk]
        far = dice.random() < 0.01
        rows.append(
            LoginAttempt(
                user=user,
                email=user.email,
                address=address(dice) if far else home,
                country="KP" if far else country,
                succeeded=dice.random() > 0.06,
                at=world.recently(dice, 45) if dice.random() < 0.9 else world.ago(dice, 181, 230),
            )
        )
    target = world.users[0]
    rows += [
        LoginAttempt(
            user=target,
            email=target.email,
            address=ATTACKER,
            country="KP",
            succeeded=False,
            at=world.now - timedelta(minutes=20, seconds=-20 * number),
        )
        for number in range(BURST)
    ]
    world.save_in_order(rows)
    reputations = [
        AddressReputation(
            address=f"203.0.113.{number + 1}",
            score=dice.uniform(5, 90),
            updated_at=world.ago(dice, 1, 6),
            blocked_until=world.now + timedelta(hours=dice.choice((-5, 10))) if number % 3 == 0 else None,
        )
        for number in range(12)
    ]
    AddressReputation.objects.bulk_create(reputations, ignore_conflicts=True)
    return len(rows) + len(reputations)


def make_identities(world: World) -> int:
    """Identity checks, consents and verifications of a part of the users."""
    dice = world.dice("identities")
    checks, consents, verifications = [], [], []
    for user in world.users:
        if dice.random() < 0.5:
            started = world.ago(dice, 2, 420)
            state = dice.choice(("started", "submitted", "verified", "verified", "verified", "rejected"))
            ends = started + timedelta(days=365)
            checks.append(
                IdentityCheck(
                    user=user,
                    state=state,
                    started_at=started,
                    verified_at=started + timedelta(days=1) if state == "verified" else None,
                    expires_at=ends if state == "verified" else None,
                    document_ends_on=(world.now + timedelta(days=dice.randint(-5, 700))).date(),
                )
            )
        for purpose in dice.sample(words.PURPOSES, 2):
            given = world.ago(dice, 1, 400)
            ends_at = given + timedelta(days=365) if dice.random() < 0.7 else None
            consents.append(Consent(user=user, purpose=purpose, given_at=given, expires_at=ends_at))
        if dice.random() < 0.4:
            created = world.ago(dice, 1, 760)
            verifications.append(
                Verification(
                    user=user,
                    kind=dice.choice(("employment", "education")),
                    organization=f"{dice.choice(words.COMPANY)} {dice.choice(words.TRADE)}",
                    state=dice.choice(("verified", "verified", "pending")),
                    created_at=created,
                    expires_at=created + timedelta(days=730),
                )
            )
    for number, user in enumerate(world.users[-world.many(EACH_END) :]):
        # However small the data set is, something has just ended and something ends soon.
        then, ends = world.ago(dice, 366, 380), world.ago(dice, 0, 1)
        checks += [
            IdentityCheck(user=user, state="verified", started_at=then, verified_at=then, expires_at=ends),
            IdentityCheck(
                user=user,
                state="verified",
                started_at=world.ago(dice, 100, 120),
                verified_at=world.ago(dice, 90, 99),
                expires_at=world.now + timedelta(days=200),
                document_ends_on=(world.now + timedelta(days=5 + number % 20)).date(),
            ),
        ]
        verifications.append(
            Verification(
                user=user,
                kind="employment",
                organization=f"{dice.choice(words.COMPANY)} {dice.choice(words.TRADE)}",
                state="verified",
                created_at=ends - timedelta(days=730),
                expires_at=ends,
            )
        )
    for rows in (checks, consents, verifications):
        world.save(rows)
    return len(checks) + len(consents) + len(verifications)
