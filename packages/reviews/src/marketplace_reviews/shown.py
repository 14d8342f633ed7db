"""Reviews from their rows straight to the answer; a test holds that the bytes are those of `schemas.ReviewPage`."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace_kit.columns import Columns
from marketplace_kit.compiled import Compiled, Row, Values
from marketplace_kit.pagination import Keyset, PageParams, Pages

from . import schemas
from .models import Review, ReviewQuerySet, Tally

NEWEST = Keyset("-created_at", "-id")
REVIEW = Columns(schemas.Review)


def _rows(how: None, values: Values) -> ReviewQuerySet:
    return Review.objects.of_service(values["service"]).shown()


def _tally(how: None, values: Values) -> QuerySet[Any, Row]:
    return _rows(how, values).by_rating()


PAGES = Pages(Review, _rows, REVIEW.names)
TALLY = Compiled(_tally)


def page_of(service_id: UUID, params: PageParams) -> dict[str, Any]:
    """The page of the service's reviews that `params` ask for, newest first, and how all of them rate it.

    InvalidField at `query/cursor`.
    """
    asked = {"service": service_id}
    page = PAGES.page(None, asked, params, NEWEST)
    tally = Tally.of(TALLY.rows(None, asked))
    rating = {"average": tally.average, "count": tally.count, "distribution": tally.distribution}
    return {**REVIEW.paged(page), "rating": rating}
