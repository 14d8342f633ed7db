"""How a page of ours takes the place of a package's."""

from collections.abc import Callable

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Model


def in_place_of_the_package[A: type[ModelAdmin]](model: type[Model]) -> Callable[[A], A]:  # type: ignore[type-arg]
    """Register the decorated pages for a model that has some. NotRegistered unless our app is listed behind its."""

    def register(pages: A) -> A:
        admin.site.unregister(model)
        admin.site.register(model, pages)
        return pages

    return register
