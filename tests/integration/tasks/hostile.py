"""Data that people, or those who attack them, can bring into any column; and mail that must contain it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from itertools import chain, cycle
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import EmailField, Field, Model, UniqueConstraint

from tasks.models import Plan, Tenant
from tests.integration.tasks.rows import HOSTILE

# What the platform itself writes, and nobody types: its upkeep, its ledger, its letters.
OWN_TABLES = {
    *("archive", "backup", "cachedaggregate", "certificate", "demoload", "integration", "integrationcheck"),
    *("lease", "mail", "paymentattempt", "posting", "storedreport", "transfer"),
}
OWN_FIELDS = {"key", "path", "digest", "provider_id", "provider_customer", "payment_method", "resource"}
LONG = "<b>&amp;\u202e🎉 " * 80_000  # over a megabyte
FAR = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
# "%pk" stands for the row's key, so that each is there once.
ADDRESSES = ('"<b>%pk</b>"@example.com', "o'brien+{{%pk|add}}@example.com", '"a&b<script>%pk"@example.com')
ROOM = " 12345678"
KEEP = object()


def overwrite() -> dict[str, int]:
    """Put hostile values into every column of every row that takes them; returns how many rows changed.

    Each value is one that the column's validators, length, choices and the table's constraints allow. Some
    rows keep what they had in each column, so that ordinary values stand beside the others.
    """
    changed = {}
    for model in apps.get_app_config("tasks").get_models():
        if model._meta.model_name in OWN_TABLES:
            continue
        fields = [f for f in model._meta.concrete_fields if not f.primary_key and f.name not in OWN_FIELDS]
        unique = _unique(model)
        values = {field: _values(field, field.name in unique) for field in fields}
        count = 0
        for row in model._base_manager.order_by("pk"):
            given = {field: next(values[field]) for field in fields}
            count += _save(row, {field: value for field, value in given.items() if value is not KEEP})
        changed[model.__name__] = count
    Tenant.objects.create(
        name=HOSTILE[0], slug="nobody", email="nobody@example.com", country="DE", plan=Plan.objects.first()
    )
    return changed


def _save(row: Model, values: dict[Field, Any]) -> bool:
    """Set the values, all at once or, where the table does not take them together, one at a time."""
    before = {field: getattr(row, field.attname) for field in values}
    if _try(row, values):
        return True
    for field, value in before.items():
        setattr(row, field.attname, value)
    done = False
    for field, value in values.items():
        if _try(row, {field: value}):
            done = True
        else:
            setattr(row, field.attname, before[field])
    return done


def _try(row: Model, values: dict[Field, Any]) -> bool:
    for field, value in values.items():
        text = value.replace("%pk", str(row.pk)) if isinstance(value, str) else value
        setattr(row, field.attname, text)
    try:
        with transaction.atomic():
            row.save(update_fields=[field.name for field in values])
    except DatabaseError:
        return False
    return True


def _unique(model: type[Model]) -> set[str]:
    names = {field.name for field in model._meta.concrete_fields if field.unique}
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            names.update(constraint.fields)
    return names


def _values(field: Field, unique: bool) -> Iterator[Any]:
    """Endless values for one row after the other; KEEP leaves a row as it is."""
    kind, rare = field.get_internal_type(), [None] if field.null and not unique else []
    if kind in ("DateTimeField", "DateField"):
        far = FAR if kind == "DateTimeField" else [at.date() for at in FAR]
        return cycle([KEEP, KEEP, far[0], *[KEEP] * 4, far[1], KEEP, *rare])
    if kind == "JSONField":
        return cycle([{"text": HOSTILE[0], HOSTILE[1]: [HOSTILE[4], None, 1e300]}, KEEP])
    if kind not in ("CharField", "TextField") or field.choices:
        return cycle([*[KEEP] * 4, *rare])
    texts = [text for text in _texts(field, unique) if _allowed(field, text)]
    return chain([LONG] if kind == "TextField" else [], cycle([*texts, KEEP, *rare]))


def _texts(field: Field, unique: bool) -> list[str]:
    if isinstance(field, EmailField):
        return list(ADDRESSES)
    length = field.max_length or 1000
    if unique:
        return [f"{text[: length - len(ROOM)]} %pk" for text in HOSTILE] if length > len(ROOM) else []
    return [text[:length] for text in HOSTILE]


def _allowed(field: Field, text: str) -> bool:
    try:
        field.run_validators(text.replace("%pk", "1"))
    except ValidationError:
        return False
    return True


class _Elements(HTMLParser):
    """Which elements a page has, and which attributes each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, ...]] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, *(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def elements(html: str) -> _Elements:
    """What a browser would make of a page."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser


def assert_contained(message: EmailMessage, allowed: set[tuple[str, ...]]) -> None:
    """No text in a message became markup, a header or a link of its own."""
    html = message.get_body(("html",))
    text = message.get_body(("plain",))
    assert html is not None
    assert text is not None
    page = elements(html.get_content())
    assert page.found <= allowed, (message["Subject"], page.found - allowed)
    assert [link for link in page.links if not link.startswith(("https://", "http://"))] == []
    assert message["Bcc"] is None
    assert message["Cc"] is None
    assert len(message.get_all("To", [])) == 1
    assert "\n" not in message["Subject"]
