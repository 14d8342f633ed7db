"""What the catalog does in the background."""

from procrastinate.contrib.django import app

from marketplace_kit.jobs import PATIENT

from . import actions


@app.task(name="marketplace_catalog.copy_category_words", queue="catalog", retry=PATIENT)
def copy_category_words(category_id: int) -> None:
    """Let services be found by a changed category's words, in many short transactions. Safe to repeat."""
    while actions.copy_category_words(category_id):
        pass
