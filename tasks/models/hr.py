"""The people who work for a tenant."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import User
from tasks.models.constraints import at_least, in_order, one_of
from tasks.models.tenants import Tenant


class EmployeeState(models.TextChoices):
    PROBATION = "probation"
    ACTIVE = "active"
    LEAVE = "leave"
    LEFT = "left"


class Employee(models.Model):
    """A person employed by a tenant, with or without a login."""

    State = EmployeeState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="employees")
    user = models.OneToOneField(User, models.SET_NULL, null=True, related_name="employee")
    manager = models.ForeignKey("self", models.SET_NULL, null=True, related_name="reports")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    title = models.CharField(max_length=120, blank=True)
    department = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    hired_on = models.DateField()
    left_on = models.DateField(null=True)
    probation_ends_on = models.DateField(null=True)
    born_on = models.DateField(null=True)
    gender = models.CharField(max_length=20, blank=True, help_text="as the person says; empty if not said")
    origin = models.CharField(max_length=40, blank=True, help_text="as the person says; empty if not said")

    class Meta:
        constraints = [
            one_of("employee", "state", EmployeeState),
            in_order("employee", "hired_on", "left_on"),
            models.UniqueConstraint(fields=["tenant", "email"], name="employee_once_a_tenant"),
        ]
        indexes = [
            models.Index(fields=["tenant", "state"], name="employee_tenant_state"),
            models.Index(fields=["state", "probation_ends_on"], name="employee_probation"),
            models.Index(fields=["hired_on"], name="employee_hired"),
        ]

    def __str__(self) -> str:
        return self.name


class TimeOffPolicy(models.Model):
    """How much time off a tenant's employees earn."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="time_off_policies")
    name = models.CharField(max_length=60)
    days_a_year = models.DecimalField(max_digits=5, decimal_places=2)
    extra_days = models.DecimalField(
        max_digits=5, decimal_places=2, default=0, help_text="a year, for each five years of service"
    )
    most_days = models.DecimalField(max_digits=6, decimal_places=2, null=True, help_text="in a balance")

    class Meta:
        constraints = [
            at_least("timeoffpolicy", "days_a_year"),
            models.UniqueConstraint(fields=["tenant", "name"], name="timeoffpolicy_name"),
        ]

    def __str__(self) -> str:
        return self.name


class TimeOffBalance(models.Model):
    """The days that an employee has under a policy."""

    employee = models.ForeignKey(Employee, models.CASCADE, related_name="balances")
    policy = models.ForeignKey(TimeOffPolicy, models.CASCADE, related_name="balances")
    days = models.DecimalField(max_digits=6, decimal_places=2, default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["employee", "policy"], name="timeoffbalance_once")]

    def __str__(self) -> str:
        return f"{self.employee_id}: {self.days}"


class TimeOffAccrual(models.Model):
    """What a month added to a balance; the constraint makes it once."""

    balance = models.ForeignKey(TimeOffBalance, models.CASCADE, related_name="accruals")
    month = models.DateField(help_text="its first day")
    days = models.DecimalField(max_digits=5, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["balance", "month"], name="timeoffaccrual_once")]

    def __str__(self) -> str:
        return f"{self.balance_id}, {self.month:%Y-%m}"


class TimeOffRequestState(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"


class TimeOffRequest(models.Model):
    """Days that an employee asks to be away."""

    State = TimeOffRequestState

    employee = models.ForeignKey(Employee, models.CASCADE, related_name="time_off_requests")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    starts_on = models.DateField()
    ends_on = models.DateField()
    requested_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("timeoffrequest", "state", TimeOffRequestState),
            in_order("timeoffrequest", "starts_on", "ends_on"),
        ]
        indexes = [models.Index(fields=["state", "requested_at"], name="timeoffrequest_state")]

    def __str__(self) -> str:
        return f"{self.employee_id} from {self.starts_on}"


class OnboardingTaskOwner(models.TextChoices):
    EMPLOYEE = "employee"
    MANAGER = "manager"
    HR = "hr"


class OnboardingTask(models.Model):
    """Something to be done for or by a new employee."""

    Owner = OnboardingTaskOwner

    employee = models.ForeignKey(Employee, models.CASCADE, related_name="onboarding")
    title = models.CharField(max_length=200)
    owner = models.CharField(max_length=10, choices=Owner.choices, default=Owner.EMPLOYEE)
    due_on = models.DateField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("onboardingtask", "owner", OnboardingTaskOwner)]
        indexes = [
            models.Index(
                fields=["due_on"], condition=models.Q(done_at__isnull=True), name="onboardingtask_open"
            )
        ]

    def __str__(self) -> str:
        return self.title


class DocumentState(models.TextChoices):
    STORED = "stored"  # needs no signature
    PENDING = "pending"
    SIGNED = "signed"
    EXPIRED = "expired"


class Document(models.Model):
    """A file that belongs to an employee and may need a signature."""

    State = DocumentState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="documents")
    employee = models.ForeignKey(Employee, models.CASCADE, null=True, related_name="documents")
    title = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="bytes; what a tenant's storage is counted from")
    state = models.CharField(max_length=10, choices=State.choices, default=State.STORED)
    created_at = models.DateTimeField()
    sign_by = models.DateTimeField(null=True)
    signed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("document", "state", DocumentState), at_least("document", "size")]
        indexes = [models.Index(fields=["state", "sign_by"], name="document_state_sign_by")]

    def __str__(self) -> str:
        return self.title
