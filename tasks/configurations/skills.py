"""Skills from a feed merged into the table: new ones are added, known ones follow, none is deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from tasks.base.batches import chunks
from tasks.base.summary import Summary
from tasks.models import Category, Skill

RECORDS = 500  # of one step
NAME, IDENTITY = 120, 80  # characters
SPELLED = str.maketrans({"+": "p", "#": "-sharp", "&": "-and-", ".": "-"})  # C++, C#, R&D, Node.js


@dataclass(frozen=True)
class Record:
    """One skill of the feed, checked."""

    identity: str
    name: str
    category: str  # its name; empty is none
    active: bool

    @classmethod
    def read(cls, raw: Any) -> Record:
        """Check one entry: ``{"id": "s-1", "name": "Python", "category": "Programming", "active": true}``.

        Raises
        ------
        ValueError
            Something is missing, too long, of the wrong type or not printable.
        """
        if not isinstance(raw, dict):
            raise ValueError(f"{raw!r:.80} is no object")
        identity = raw.get("id")
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        active = raw.get("active", True)
        if not isinstance(active, bool):
            raise ValueError(f"active={active!r:.80} must be true or false")
        return cls(
            identity=_text("id", identity, IDENTITY),
            name=_text("name", raw.get("name"), NAME),
            category=_text("category", raw["category"], NAME) if raw.get("category") else "",
            active=active,
        )


def merge(raw: Sequence[Any], now: datetime, summary: Summary) -> None:
    """Merge a feed's entries; one that is wrong or comes twice is skipped."""
    for chunk in chunks(_records(raw, summary), RECORDS):
        with transaction.atomic():
            categories = _categories([record.category for record in chunk], now, summary)
            _merge(chunk, categories, now, summary)


def _records(raw: Sequence[Any], summary: Summary) -> Iterator[Record]:
    seen: set[str] = set()
    for place, entry in enumerate(raw):
        summary.add("looked_at")
        with summary.row("entry", place):
            record = Record.read(entry)
            if record.identity in seen:
                raise ValueError(f"id {record.identity!r} comes twice")
            seen.add(record.identity)
            yield record


def _merge(
    records: Sequence[Record], categories: dict[str, Category], now: datetime, summary: Summary
) -> None:
    slugs = {record.identity: slug(record.name) for record in records}
    spare = {record.identity: slug(record.name, record.identity) for record in records}
    found = list(
        Skill.objects.filter(Q(external_id__in=slugs) | Q(slug__in={*slugs.values(), *spare.values()}))
    )
    known = {row.external_id: row for row in found if row.external_id}
    free = {row.slug: row for row in found if not row.external_id}  # of our own, not in the feed so far
    taken = {row.slug for row in found}
    added: list[Skill] = []
    changed: list[Skill] = []
    for record in records:
        wanted = slugs[record.identity]
        category = categories.get(slug(record.category)) if record.category else None
        row = known.get(record.identity) or free.pop(wanted, None)
        if row is None:
            wanted = spare[record.identity] if wanted in taken else wanted
            taken.add(wanted)
            added.append(
                Skill(
                    external_id=record.identity,
                    slug=wanted,
                    name=record.name,
                    category=category,
                    is_active=record.active,
                    updated_at=now,
                )
            )
        elif _follow(row, record, category):
            row.updated_at = now
            changed.append(row)
        else:
            summary.add("unchanged")
    Skill.objects.bulk_create(added, ignore_conflicts=True)
    Skill.objects.bulk_update(
        changed, ["external_id", "name", "category", "is_active", "updated_at"], batch_size=RECORDS
    )
    summary.add("added", len(added))
    summary.add("changed", len(changed))


def _follow(row: Skill, record: Record, category: Category | None) -> bool:
    """Bring a skill in line with its record; a record without a category leaves the one that there is."""
    wanted = {
        "external_id": record.identity,
        "name": record.name,
        "category_id": category.pk if category else row.category_id,
        "is_active": record.active,
    }
    differs = any(getattr(row, name) != value for name, value in wanted.items())
    for name, value in wanted.items():
        setattr(row, name, value)
    return differs


def _categories(names: Sequence[str], now: datetime, summary: Summary) -> dict[str, Category]:
    """The categories of these names by slug; those that are missing are made, at the top of the tree."""
    wanted = {slug(name): name for name in names if name}
    known = set(Category.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    missing = [
        Category(name=name, slug=key, created_at=now, used_at=now)
        for key, name in wanted.items()
        if key not in known
    ]
    Category.objects.bulk_create(missing, ignore_conflicts=True)
    summary.add("categories_added", len(missing))
    return {row.slug: row for row in Category.objects.filter(slug__in=wanted)}


def slug(name: str, identity: str = "") -> str:
    """A name as it stands in addresses; with `identity`, one that no other name gives.

    A name without any letter of the alphabet (Arabic, Japanese, an emoji) is known by its fingerprint.
    """
    plain = slugify(name.translate(SPELLED))[: NAME - 9]
    if plain and not identity:
        return plain
    mark = hashlib.sha256(f"{name}\n{identity}".encode()).hexdigest()[:8]
    return f"{plain or 'skill'}-{mark}"


def _text(field: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field}={value!r:.80} must be a text")
    text = " ".join(value.split())
    text.encode()  # half a surrogate pair is no text
    if len(text) > longest:
        raise ValueError(f"{field}={text[:40]!r}… has {len(text)} characters; {longest} are allowed")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError(f"{field}={text!r:.80} has control characters")
    return text
