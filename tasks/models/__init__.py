"""The platform's business data, one file a domain."""

from __future__ import annotations

from tasks.models.accounts import LoginSession, User
from tasks.models.ats import Application, Candidate, Job
from tasks.models.finance import Invoice, Payment, PaymentAttempt, Posting, Subscription, Transfer
from tasks.models.hr import Employee
from tasks.models.operations import (
    Backup,
    CachedAggregate,
    Certificate,
    DemoLoad,
    Integration,
    IntegrationCheck,
    Lease,
)
from tasks.models.outbox import Mail
from tasks.models.security import Archive, AuditEntry
from tasks.models.tenants import Plan, Tenant

__all__ = [
    "Application",
    "Archive",
    "AuditEntry",
    "Backup",
    "CachedAggregate",
    "Candidate",
    "Certificate",
    "DemoLoad",
    "Employee",
    "Integration",
    "IntegrationCheck",
    "Invoice",
    "Job",
    "Lease",
    "LoginSession",
    "Mail",
    "Payment",
    "PaymentAttempt",
    "Plan",
    "Posting",
    "Subscription",
    "Tenant",
    "Transfer",
    "User",
]
