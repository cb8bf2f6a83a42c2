"""Categories, skills, and the companies behind the tenants."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.people import slugged
from tasks.demo.world import World
from tasks.models import Category, Company, CompanyReview, Skill

REVIEWS = 120  # at scale 1


def make_categories(world: World) -> int:
    """The category tree; some branches have been without an item for long."""
    if not Category.objects.filter(slug="skills").exists():
        root = Category.objects.create(name="Skills", slug="skills", used_at=world.now)
        long_ago = world.now - timedelta(days=200)
        rows = [Category(name=n, slug=slugged(n), parent=root, used_at=world.now) for n in words.SKILLS]
        rows += [
            Category(name=n, slug=slugged(n), parent=root, created_at=long_ago, used_at=long_ago)
            for n in words.UNUSED_CATEGORIES
        ]
        world.save(rows)
    world.categories = {row.name: row for row in Category.objects.all()}
    return len(world.categories)


def make_skills(world: World) -> int:
    """Skills by category."""
    Skill.objects.bulk_create(
        [
            Skill(name=name, slug=slugged(name.replace("+", "p")), category=world.categories[category])
            for category, names in words.SKILLS.items()
            for name in names
        ],
        ignore_conflicts=True,
    )
    world.skills = list(Skill.objects.order_by("pk"))
    return len(world.skills)


def make_companies(world: World) -> int:
    """A public company for each tenant, with reviews."""
    dice = world.dice("companies")
    companies = world.save([Company(tenant=t, industry=dice.choice(words.INDUSTRIES)) for t in world.tenants])
    reviews = [
        CompanyReview(
            company=company,
            rating=dice.choice((2, 3, 4, 4, 5)),
            text=dice.choice(words.OPINIONS),
            at=world.recently(dice, 120),
        )
        for company, count in world.shares(companies, REVIEWS)
        for _ in range(count)
    ]
    world.save(reviews)
    return len(companies) + len(reviews)
