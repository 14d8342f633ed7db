"""What is listed is, to the byte, what models and the schema say."""

import pytest

from marketplace_catalog.testing import make_service
from marketplace_kit.pagination import PageParams, paginate
from marketplace_kit.renderer import to_json
from marketplace_reviews import actions, shown
from marketplace_reviews.models import Review, Tally
from marketplace_reviews.schemas import ReviewPage
from marketplace_reviews.testing import make_review


def by_the_schema(service, params):
    """The same page by models and the schema."""
    rows = Review.objects.filter(service=service, hidden_at=None)
    page = paginate(rows, params, "-created_at", "-id")
    ratings = [*rows.values_list("rating", flat=True)]
    told = {"items": page.items, "next_cursor": page.next_cursor}
    told["rating"] = Tally.of((rating, ratings.count(rating)) for rating in ratings)
    return to_json(ReviewPage.model_validate(told).model_dump(by_alias=True))


@pytest.mark.parametrize("count", [0, 7])
def test_a_list_is_what_the_schema_says(provider, customer, sign_in, count):
    service = make_service(provider)
    reviews = [make_review(customer, service, n % 4 + 2, f"«{n}»" if n % 2 else None) for n in range(count)]
    for review in reviews[:3]:
        actions.reply_to_review(provider, review, "Thank you.\nCome again.")
        Review.objects.filter(pk=review.pk).update(created_at=reviews[0].created_at)
    for review in reviews[3:4]:
        actions.hide_review(review, "Spam.")
    make_review(customer, make_service(provider), 1)
    asked = {"limit": "2"}

    while "cursor" not in asked or asked["cursor"]:
        answer = sign_in(None).get(f"/api/services/{service.pk}/reviews", query_params=asked)
        assert answer.content == by_the_schema(service, PageParams.model_validate(asked))
        asked["cursor"] = answer.json()["nextCursor"]
    assert None not in [*shown.PAGES.query.plans.values(), *shown.TALLY.plans.values()]
