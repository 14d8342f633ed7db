"""What customers thought of completed bookings, and what providers replied."""

from collections.abc import Iterable
from datetime import timedelta

from marketplace_reviews.models import Review

from .agreements import Agreement
from .loading import Batch, Row
from .offers import Offers
from .plan import Plan
from .words import words_of

# What a service is like: the ratings that it gets.
QUALITIES = ((5, 5, 5, 5, 4), (5, 5, 5, 4, 4), (5, 5, 4, 4, 3), (5, 4, 4, 3, 2), (5, 4, 3, 2, 1))
PLEASED = 4
REVIEWED_WITHIN, REPLIED_WITHIN = timedelta(days=14), timedelta(days=5)


class Verdicts:
    """The reviews of a plan. Services are rated by them in the end."""

    def __init__(self, plan: Plan, offers: Offers) -> None:
        self.plan = plan
        self.offers = offers

    def batch(self, agreements: Iterable[Agreement]) -> Batch:
        reviews = (self._review(it) for it in agreements)
        return {Review: [review for review in reviews if review is not None]}

    def _review(self, it: Agreement) -> Row | None:
        chance = self.plan.chance("review", it.number)
        if it.completed_at is None or not chance.happens(0.6):
            return None
        rating = chance.pick(QUALITIES[self.plan.roll("quality", it.terms.number) % len(QUALITIES)])
        at = chance.between(it.completed_at, min(it.completed_at + REVIEWED_WITHIN, self.plan.end))
        replied_at = chance.between(at, min(at + REPLIED_WITHIN, self.plan.end)) if chance.happens(0.35) else None
        words = words_of(chance.pick(it.terms.place.languages))
        said = words.praise if rating >= PLEASED else words.complaints
        return {
            "id": self.plan.row_id("review", it.number),
            "booking_id": self.plan.row_id("booking", it.number),
            "service_id": self.offers.service_id(it.terms.number),
            "author_id": self.offers.people.customer_id(it.customer),
            "rating": rating,
            "comment": chance.pick(said) if chance.happens(0.7) else None,
            "reply": chance.pick(words.replies) if replied_at else None,
            "created_at": at,
            "updated_at": replied_at or at,
        }
