"""The marketplace of services: from a request over a proposal to a contract, its escrow and its review."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import User
from tasks.models.configurations import Category
from tasks.models.constraints import at_least, in_order, one_of


class Provider(models.Model):
    """Somebody who offers services."""

    user = models.OneToOneField(User, models.CASCADE, related_name="provider")
    name = models.CharField(max_length=200)
    rating = models.FloatField(null=True, help_text="weighted mean, 1 to 5")
    reviews_counted = models.PositiveIntegerField(default=0)
    rated_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """What a provider offers."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="services")
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="services")
    title = models.CharField(max_length=200)
    price_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="usd")
    views = models.PositiveBigIntegerField(default=0)
    orders = models.PositiveIntegerField(default=0)
    conversion = models.FloatField(null=True, help_text="orders to views, 0 to 1")
    counted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [at_least("service", "price_cents")]

    def __str__(self) -> str:
        return self.title


class ServiceView(models.Model):
    """One look at a service."""

    # The index by service and moment serves it.
    service = models.ForeignKey(Service, models.CASCADE, db_index=False, related_name="raw_views")
    visitor = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["service", "at"], name="serviceview_service_at")]

    def __str__(self) -> str:
        return f"{self.service_id} at {self.at:%Y-%m-%d %H:%M}"


class ServiceRequestState(models.TextChoices):
    OPEN = "open"
    ORDERED = "ordered"
    CLOSED = "closed"


class ServiceRequest(models.Model):
    """What a client looks for."""

    State = ServiceRequestState

    client = models.ForeignKey(User, models.CASCADE, related_name="service_requests")
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="service_requests")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()
    active_at = models.DateTimeField(help_text="last time that anybody did anything with it")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("servicerequest", "state", ServiceRequestState)]
        indexes = [models.Index(fields=["state", "active_at"], name="servicerequest_state_active")]

    def __str__(self) -> str:
        return self.title


class ProposalState(models.TextChoices):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"


class Proposal(models.Model):
    """A provider's offer for a request."""

    State = ProposalState

    request = models.ForeignKey(ServiceRequest, models.CASCADE, related_name="proposals")
    service = models.ForeignKey(Service, models.CASCADE, related_name="proposals")
    amount_cents = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("proposal", "state", ProposalState),
            at_least("proposal", "amount_cents", 1),
            models.UniqueConstraint(fields=["request", "service"], name="proposal_once_a_service"),
        ]
        indexes = [models.Index(fields=["state", "created_at"], name="proposal_state_created")]

    def __str__(self) -> str:
        return f"proposal {self.pk}"


class ContractState(models.TextChoices):
    UNSIGNED = "unsigned"
    SIGNED = "signed"  # not begun yet
    ACTIVE = "active"
    OVERDUE = "overdue"  # past its end and not delivered
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Contract(models.Model):
    """An accepted proposal, to be signed and fulfilled."""

    State = ContractState

    proposal = models.OneToOneField(Proposal, models.PROTECT, related_name="contract")
    service = models.ForeignKey(Service, models.PROTECT, related_name="contracts")
    client = models.ForeignKey(User, models.PROTECT, related_name="contracts")
    state = models.CharField(max_length=10, choices=State.choices, default=State.UNSIGNED)
    created_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    starts_on = models.DateField()
    ends_on = models.DateField()
    delivered_at = models.DateTimeField(null=True, help_text="the client has accepted the work")
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("contract", "state", ContractState),
            in_order("contract", "starts_on", "ends_on"),
        ]
        indexes = [
            models.Index(fields=["state", "ends_on"], name="contract_state_ends"),
            models.Index(fields=["state", "starts_on"], name="contract_state_starts"),
            models.Index(fields=["service", "created_at"], name="contract_service"),
        ]

    def __str__(self) -> str:
        return f"contract {self.pk}"


class Review(models.Model):
    """What a client says about a finished contract."""

    contract = models.OneToOneField(Contract, models.CASCADE, related_name="review")
    provider = models.ForeignKey(Provider, models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(rating__range=(1, 5)), name="review_1_to_5")]

    def __str__(self) -> str:
        return f"{self.rating} for {self.provider_id}"


class EscrowState(models.TextChoices):
    HELD = "held"
    RELEASED = "released"
    REFUNDED = "refunded"


class Escrow(models.Model):
    """A client's money, held until the work is done."""

    State = EscrowState

    contract = models.OneToOneField(Contract, models.PROTECT, related_name="escrow")
    amount_cents = models.BigIntegerField()
    fee_cents = models.BigIntegerField(default=0, help_text="the platform's part of the amount")
    currency = models.CharField(max_length=3, default="usd")
    state = models.CharField(max_length=10, choices=State.choices, default=State.HELD)
    held_at = models.DateTimeField()
    hold_until = models.DateTimeField(help_text="not released before, so that the client can object")
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("escrow", "state", EscrowState),
            at_least("escrow", "amount_cents", 1),
            models.CheckConstraint(
                condition=models.Q(fee_cents__gte=0, fee_cents__lte=models.F("amount_cents")),
                name="escrow_fee_within_amount",
            ),
        ]
        indexes = [models.Index(fields=["state", "hold_until"], name="escrow_state_hold")]

    def __str__(self) -> str:
        return f"escrow {self.pk}: {self.state}"
