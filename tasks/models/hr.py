"""The people who work for a tenant."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import User
from tasks.models.constraints import in_order, one_of
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

    class Meta:
        constraints = [
            one_of("employee", "state", EmployeeState),
            in_order("employee", "hired_on", "left_on"),
            models.UniqueConstraint(fields=["tenant", "email"], name="employee_once_a_tenant"),
        ]
        indexes = [models.Index(fields=["tenant", "state"], name="employee_tenant_state")]

    def __str__(self) -> str:
        return self.name
