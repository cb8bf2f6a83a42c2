"""Look-ups that nearly every page needs, computed ahead and kept in the cache."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.cache import cache

from tasks.base import batches
from tasks.models import Category, Company, Skill

KEPT = 8 * 3600  # seconds in the cache: twice the time between two warmings
COMPANIES_AT_ONCE = 1000
SKILLS, CATEGORIES = "lookup:skills", "lookup:categories"


def read_skills() -> list[dict[str, Any]] | None:
    """Active skills by name: ``id``, ``name``, ``slug``, ``category`` (its id)."""
    return cache.get(SKILLS)


def read_categories() -> dict[str, Any] | None:
    """The category tree: ``roots`` (ids) and ``nodes`` (by id: ``name``, ``slug``, ``children``)."""
    return cache.get(CATEGORIES)


def read_company(slug: str) -> dict[str, Any] | None:
    """The company of a tenant, by the tenant's slug."""
    return cache.get(_company(slug))


def warm(now: datetime) -> dict[str, int]:
    """Put all look-ups into the cache; how many entries each has."""
    skills = list(
        Skill.objects.filter(is_active=True).order_by("name", "pk").values("id", "name", "slug", "category")
    )
    tree = _tree()
    cache.set_many({SKILLS: skills, CATEGORIES: tree | {"as_of": now.isoformat()}}, KEPT)
    return {"skills": len(skills), "categories": len(tree["nodes"]), "companies": _warm_companies(now)}


def _tree() -> dict[str, Any]:
    """All nodes that can be reached from the top, so that a page that walks the tree comes to an end."""
    rows = list(Category.objects.order_by("name", "pk").values_list("pk", "name", "slug", "parent"))
    children: dict[int | None, list[int]] = {}
    for pk, _, _, parent in rows:
        children.setdefault(parent, []).append(pk)
    reached, waiting = set(), list(children.get(None, ()))
    while waiting:
        pk = waiting.pop()
        reached.add(pk)
        waiting += children.get(pk, ())
    nodes = {
        pk: {"name": name, "slug": slug, "children": children.get(pk, [])}
        for pk, name, slug, _ in rows
        if pk in reached
    }
    return {"roots": children.get(None, []), "nodes": nodes}


def _warm_companies(now: datetime) -> int:
    count = 0
    for batch in batches.walk(Company.objects.select_related("tenant"), COMPANIES_AT_ONCE):
        values = {
            _company(row.tenant.slug): {
                "id": row.pk,
                "tenant": row.tenant_id,
                "name": row.tenant.name,
                "industry": row.industry,
                "employees": row.employees,
                "open_jobs": row.open_jobs,
                "rating": row.rating,
                "as_of": now.isoformat(),
            }
            for row in batch
        }
        count += len(values) - len(cache.set_many(values, KEPT))
    return count


def _company(slug: str) -> str:
    return f"lookup:company:{slug}"
