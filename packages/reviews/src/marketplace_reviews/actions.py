"""What can happen to a review: one function, one transaction, one thing.

Locks are taken in one order: the two sides (an erasure takes its user before all else), the review's row, the
service's row (by the catalog). Nothing is locked behind the service's row; no booking, payment or ledger is.
"""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import Q

from marketplace_booking.lifecycle import BookingStatus, Party
from marketplace_booking.models import Booking
from marketplace_catalog import actions as catalog
from marketplace_kit.clock import now
from marketplace_kit.exceptions import NotFound
from marketplace_kit.exporting import exported
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import hold_users

from .exceptions import AlreadyReviewed, NotCompleted, NotYoursToAnswer, NotYoursToReview
from .models import Review
from .signals import review_created, review_replied


@action
def create_review(user: AbstractBaseUser, booking: Booking, rating: int, comment: str | None = None) -> Review:
    """The customer reviews the booking, once.

    NotYoursToReview, NotCompleted, AlreadyReviewed; NotFound if they have just been erased.
    """
    if booking.party_of(user) is not Party.CUSTOMER:
        raise NotYoursToReview
    if booking.status != BookingStatus.COMPLETED:  # which stays so: no lock is needed
        raise NotCompleted
    _hold(user.pk, booking.provider_id)
    review, is_first = Review.objects.get_or_create(booking=booking, defaults=_said(booking, rating, comment))
    if not is_first:
        raise AlreadyReviewed
    catalog.rate(review.service_id, rating)
    review_created.send(sender=Review, review=review, actor_id=user.pk)
    return review


@action
def reply_to_review(user: AbstractBaseUser, review: Review, reply: str) -> Review:
    """The provider answers, or answers otherwise.

    NotYoursToAnswer; NotFound if it was hidden meanwhile, or they have just been erased.
    """
    if review.booking.provider_id != user.pk:
        raise NotYoursToAnswer
    _hold(user.pk, review.author_id)
    locked = lock_row(Review.objects.shown().with_booking(), review.pk)
    if locked.reply == reply:
        return locked
    locked.reply, locked.updated_at = reply, now()
    locked.save(update_fields=["reply", "updated_at"])
    catalog.forget_cached()
    review_replied.send(sender=Review, review=locked, actor_id=user.pk)
    return locked


# --- moderation ---


@action
def hide_review(review: Review, reason: str) -> None:
    """Let nobody see it, nor its reply, and let it not count. Of one that is hidden the reason changes."""
    locked = lock_row(Review.objects.all(), review.pk)
    was_hidden, locked.hidden_reason = locked.is_hidden, reason
    locked.hidden_at = locked.hidden_at or now()
    locked.save(update_fields=["hidden_at", "hidden_reason"])
    if not was_hidden:
        catalog.unrate(locked.service_id, locked.rating)


@action
def show_review(review: Review) -> None:
    """Let it be seen and count again."""
    locked = lock_row(Review.objects.all(), review.pk)
    if locked.is_hidden:
        locked.hidden_at = locked.hidden_reason = None
        locked.save(update_fields=["hidden_at", "hidden_reason"])
        catalog.rate(locked.service_id, locked.rating)


# --- users who leave, and the data held about them ---


@action
def forget(user_id: Any) -> None:
    """Erase what a user wrote, as a customer and as a provider. The ratings they gave stay, for the other side."""
    wrote = Q(author=user_id, comment__isnull=False) | Q(booking__provider=user_id, reply__isnull=False)
    # By order, so that two who leave at once, and wrote to each other, don't wait in a circle.
    locked = Review.objects.filter(wrote).order_by("pk").select_for_update(of=("self",))
    theirs = Review.objects.filter(pk__in=[review.pk for review in locked])
    theirs.filter(author=user_id).update(comment=None, updated_at=now())
    theirs.exclude(author=user_id).update(reply=None, updated_at=now())
    catalog.forget_cached()


def export(user_id: Any) -> dict[str, Any]:
    """The reviews that the user wrote, including hidden ones, and their replies to others' reviews."""
    wrote = Review.objects.written_by(user_id).order_by("created_at", "id")
    replied = Review.objects.answered_by(user_id).order_by("created_at", "id")
    fields = ("id", "booking_id", "service_id", "rating", "comment", "hidden_at", "hidden_reason")
    return {
        "reviews": exported(wrote, *fields, "created_at", "updated_at"),
        "reviewReplies": exported(replied, "id", "booking_id", "service_id", "reply", "updated_at"),
    }


# --- ratings ---


@action
def recount() -> int:
    """Rate services by their reviews, for rows that the actions did not write; how many had been rated otherwise.

    Nobody can write a review while it counts.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE marketplace_reviews_review IN SHARE MODE")
        cursor.execute(_RECOUNT)
        catalog.forget_cached()
        put_right: int = cursor.rowcount
        return put_right


_RECOUNT = """
UPDATE marketplace_catalog_service AS service SET rating_sum = said.points, rating_count = said.reviews
FROM (
    SELECT service_id, coalesce(sum(rating) FILTER (WHERE hidden_at IS NULL), 0) AS points,
        count(*) FILTER (WHERE hidden_at IS NULL) AS reviews
    FROM marketplace_reviews_review GROUP BY service_id
) AS said
WHERE service.id = said.service_id
AND (service.rating_sum, service.rating_count) <> (said.points, said.reviews)
"""


def _said(booking: Booking, rating: int, comment: str | None) -> dict[str, Any]:
    about = {"service_id": booking.service_id, "author_id": booking.customer_id}
    at = now()  # one moment for both: where they differ, something was changed
    return {**about, "rating": rating, "comment": comment or None, "created_at": at, "updated_at": at}


def _hold(writer_id: Any, other_id: Any) -> None:
    """Let neither be erased until this is over. NotFound where the writer has just been.

    Before the service's row is locked, as an erasure locks the provider and then their services. The foreign keys would
    wait for it behind that row, at the commit.
    """
    hold_users(other_id)  # whether or not they exist
    if not hold_users(writer_id):
        raise NotFound
