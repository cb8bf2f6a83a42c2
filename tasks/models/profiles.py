"""What a person proves and agrees to: tokens, login history, identity, consents, verifications."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import LoginSession, User
from tasks.models.constraints import in_order, one_of


class TokenKind(models.TextChoices):
    AUTHENTICATION = "authentication"
    PASSWORD_RESET = "password_reset"
    EMAIL_VERIFICATION = "email_verification"


class Token(models.Model):
    """A secret that stands for a person for a while."""

    Kind = TokenKind

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    session = models.ForeignKey(LoginSession, models.CASCADE, null=True, related_name="tokens")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("token", "kind", TokenKind), in_order("token", "created_at", "expires_at")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class LoginAttempt(models.Model):
    """One line of the login history: who tried, from where, with what outcome."""

    # The index by user and moment serves it; histories are long, and each index is written with each row.
    user = models.ForeignKey(User, models.CASCADE, null=True, db_index=False, related_name="login_attempts")
    email = models.CharField(max_length=254, help_text="as it was typed; it may be nobody's")
    address = models.GenericIPAddressField()
    country = models.CharField(max_length=2, blank=True)
    succeeded = models.BooleanField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["succeeded", "at"], name="loginattempt_outcome_at"),
            models.Index(fields=["user", "at"], name="loginattempt_user_at"),
            models.Index(fields=["address", "at"], name="loginattempt_address_at"),
        ]

    def __str__(self) -> str:
        return f"{self.email} at {self.at:%Y-%m-%d %H:%M}"


class IdentityCheckState(models.TextChoices):
    STARTED = "started"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    EXPIRED = "expired"


class IdentityCheck(models.Model):
    """The check of a person's identity documents (KYC)."""

    State = IdentityCheckState

    user = models.ForeignKey(User, models.CASCADE, related_name="identity_checks")
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTED)
    started_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    document_ends_on = models.DateField(null=True)

    class Meta:
        constraints = [one_of("identitycheck", "state", IdentityCheckState)]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="identitycheck_state_expires"),
            models.Index(fields=["state", "started_at"], name="identitycheck_state_started"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.state}"


class ConsentState(models.TextChoices):
    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Consent(models.Model):
    """What a person has agreed to, until when."""

    State = ConsentState

    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State.choices, default=State.GIVEN)
    given_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("consent", "state", ConsentState),
            models.UniqueConstraint(fields=["user", "purpose"], name="consent_once_a_purpose"),
        ]
        indexes = [models.Index(fields=["state", "expires_at"], name="consent_state_expires")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.purpose}"


class VerificationKind(models.TextChoices):
    EMPLOYMENT = "employment"
    EDUCATION = "education"


class VerificationState(models.TextChoices):
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Verification(models.Model):
    """A confirmed line of a person's record: an employment or an education."""

    Kind = VerificationKind

    State = VerificationState

    user = models.ForeignKey(User, models.CASCADE, related_name="verifications")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    organization = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("verification", "kind", VerificationKind),
            one_of("verification", "state", VerificationState),
        ]
        indexes = [models.Index(fields=["state", "expires_at"], name="verification_state_expires")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.organization}"
