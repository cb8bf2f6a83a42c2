"""Subscriptions, invoices, payments with their attempts, and the double-entry ledger."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks.models.constraints import at_least, in_order, one_of
from tasks.models.tenants import Plan, Tenant


class SubscriptionState(models.TextChoices):
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"


class Subscription(models.Model):
    """A tenant's paid plan."""

    State = SubscriptionState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACTIVE)
    started_at = models.DateTimeField()
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    cancel_at_period_end = models.BooleanField(default=False)
    cancelled_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=80, unique=True, null=True)
    provider_customer = models.CharField(max_length=80, blank=True)
    payment_method = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            one_of("subscription", "state", SubscriptionState),
            in_order("subscription", "period_start", "period_end"),
            models.UniqueConstraint(
                fields=["tenant"], condition=~Q(state="cancelled"), name="subscription_one_running"
            ),
        ]
        indexes = [models.Index(fields=["state", "period_end"], name="subscription_state_end")]

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.plan_id}, {self.state}"


class InvoiceState(models.TextChoices):
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class Invoice(models.Model):
    """What a tenant owes for one period."""

    State = InvoiceState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invoices")
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, related_name="invoices")
    number = models.CharField(max_length=40, unique=True)
    period = models.DateField(null=True, help_text="first day of the month that it is for")
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="usd")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("invoice", "state", InvoiceState),
            at_least("invoice", "amount_cents"),
            models.UniqueConstraint(fields=["subscription", "period"], name="invoice_once_a_period"),
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="invoice_state_due")]

    def __str__(self) -> str:
        return self.number


class PaymentState(models.TextChoices):
    PENDING = "pending"  # asked of the provider, outcome not known yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Payment(models.Model):
    """Money that a tenant pays, over as many attempts as it takes."""

    State = PaymentState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="payments")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="payments")
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="usd")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    payment_method = models.CharField(max_length=80)
    provider_customer = models.CharField(max_length=80, blank=True)
    provider_id = models.CharField(max_length=80, unique=True, null=True)
    retries = models.PositiveSmallIntegerField(default=0, help_text="attempts after the first one")
    created_at = models.DateTimeField(db_default=Now())
    failed_at = models.DateTimeField(null=True, help_text="end of the last attempt that failed")
    settled_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=200, blank=True, help_text="the provider's reason")

    class Meta:
        constraints = [one_of("payment", "state", PaymentState), at_least("payment", "amount_cents", 1)]
        indexes = [
            models.Index(fields=["state", "retries", "failed_at"], name="payment_retry"),
            models.Index(fields=["tenant", "settled_at"], name="payment_tenant_settled"),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk}: {self.state}"


class PaymentAttemptState(models.TextChoices):
    STARTED = "started"
    SUCCEEDED = "succeeded"
    PENDING = "pending"
    DECLINED = "declined"
    REJECTED = "rejected"  # the provider does not accept the request itself


class PaymentAttempt(models.Model):
    """One request to the provider; the key makes the provider charge once for it, however often asked."""

    State = PaymentAttemptState

    payment = models.ForeignKey(Payment, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=100, unique=True, help_text="idempotency key")
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=80)
    provider_customer = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTED)
    provider_id = models.CharField(max_length=80, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            one_of("paymentattempt", "state", PaymentAttemptState),
            models.UniqueConstraint(fields=["payment", "number"], name="paymentattempt_number"),
        ]

    def __str__(self) -> str:
        return self.key


class Transfer(models.Model):
    """One movement of money; its postings sum to zero. The key books it once."""

    key = models.CharField(max_length=100, unique=True)
    at = models.DateTimeField(db_index=True)
    text = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.key


class Posting(models.Model):
    """One side of a transfer: positive into the account, negative out of it."""

    transfer = models.ForeignKey(Transfer, models.CASCADE, related_name="postings")
    account = models.CharField(max_length=80, help_text="`provider`, `tenant 12`, `escrow 7`, `fees`")
    currency = models.CharField(max_length=3)
    cents = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(cents=0), name="posting_moves_something"),
            models.UniqueConstraint(fields=["transfer", "account", "currency"], name="posting_once"),
        ]
        indexes = [models.Index(fields=["account", "currency"], name="posting_account")]

    def __str__(self) -> str:
        return f"{self.account}: {self.cents} {self.currency}"
