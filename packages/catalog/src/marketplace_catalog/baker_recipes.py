"""Rows for tests past the actions, many at once: `baker.make_recipe("marketplace_catalog.service", provider=…)`.

What an action does besides is missing: words to forgive typing errors by, signals, kept answers that move on. For a
service as a provider would offer it there is `testing.make_service`.
"""

from decimal import Decimal

from model_bakery.recipe import Recipe, foreign_key

from .models import Category, Service


def cleaning() -> Category:
    return Category.objects.select_related("parent").get(slug="cleaning")


service = Recipe(
    Service,
    title="Deep cleaning",
    description="Every room, windows included.",
    category=cleaning,
    category_words=lambda: cleaning().words,
    price=Decimal("50.00"),
    currency="USD",
    schedule=foreign_key("marketplace_scheduling.schedule", one_to_one=True),
)
