"""Reviews, at the service, the booking and by themselves: parse, fetch in scope, call an action, return the row."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_booking.models import Booking
from marketplace_catalog.lifecycle import TOPIC
from marketplace_catalog.models import Service
from marketplace_kit.conditional import conditional
from marketplace_kit.exceptions import NotFound
from marketplace_kit.pagination import PageParams
from marketplace_kit.public_cache import cached_publicly
from marketplace_kit.renderer import answered
from marketplace_kit.routing import Router, refuses, tells_location
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of, viewer_of

from . import actions, schemas, shown
from .exceptions import AlreadyReviewed, NotCompleted, NotYoursToAnswer, NotYoursToReview
from .models import Review

router = Router(tags=["Reviews"])


def visible_booking(request: HttpRequest, booking_id: UUID) -> Booking:
    """The booking if the caller may see it. NotFound."""
    booking = Booking.objects.visible_to(user_of(request)).with_details().filter(pk=booking_id).first()
    if booking is None:
        raise NotFound
    return booking


@router.get("/services/{service_id}/reviews", auth=None, response=schemas.ReviewPage)
@conditional
@cached_publicly(TOPIC)
def list_reviews(request: HttpRequest, service_id: Id, params: Query[PageParams]) -> HttpResponse:
    """List the reviews of a service, newest first, with its overall rating."""
    if not Service.objects.visible_to(viewer_of(request)).filter(pk=service_id).exists():
        raise NotFound
    return answered(shown.page_of(service_id, params))


@router.post("/bookings/{booking_id}/review", response={201: schemas.Review})
@tells_location
@refuses(NotYoursToReview, NotCompleted, AlreadyReviewed)
def create_review(
    request: HttpRequest, response: HttpResponse, booking_id: Id, body: schemas.CreateReview
) -> Status[Review]:
    """Review a completed booking. For its customer, once per booking."""
    booking = visible_booking(request, booking_id)
    review = actions.create_review(user_of(request), booking, body.rating, body.comment)
    response["Location"] = request.path
    return Status(201, review)


@router.get("/bookings/{booking_id}/review", response=schemas.Review)
def get_review(request: HttpRequest, booking_id: Id) -> Review:
    """Get the review of a booking. For its customer, its provider and staff; 404 while there is none."""
    review = Review.objects.shown().filter(booking=visible_booking(request, booking_id)).first()
    if review is None:
        raise NotFound
    return review


@router.put("/reviews/{review_id}/reply", response=schemas.Review)
@refuses(NotYoursToAnswer)
def reply_to_review(request: HttpRequest, review_id: Id, body: schemas.ReplyToReview) -> Review:
    """Reply to a review, replacing any earlier reply. For the booking's provider."""
    user = user_of(request)
    review = Review.objects.visible_to(user).with_booking().filter(pk=review_id).first()
    if review is None:
        raise NotFound
    return actions.reply_to_review(user, review, body.reply)
