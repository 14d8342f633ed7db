"""What goes in and out of reviews."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from marketplace_catalog.schemas import Rating
from marketplace_kit.pagination import Page
from marketplace_kit.schemas import In, Int, Out, Text2000, clean_text
from marketplace_kit.users import UserId

from .models import HIGHEST, LOWEST

# --- in ---


class CreateReview(In):
    """A new review."""

    rating: Int = Field(ge=LOWEST, le=HIGHEST, description="From 1 (worst) to 5 (best).", examples=[5])
    comment: Text2000 = Field("", description="Public.", examples=["On time, thorough and friendly."])


class ReplyToReview(In):
    """The provider's reply."""

    reply: Annotated[str, AfterValidator(clean_text), Field(min_length=1, max_length=2000)] = Field(
        description="Public; replaces any earlier reply.", examples=["Thank you, come again."]
    )


# --- out ---


class Review(Out):
    """A customer's review of a completed booking."""

    id: UUID = Field(description="The review's id.")
    booking_id: UUID = Field(description="The reviewed booking's id.")
    service_id: UUID = Field(description="The booked service's id.")
    author_id: UserId = Field(description="The customer's user id.")
    rating: int = Field(description="From 1 (worst) to 5 (best).")
    comment: str | None = Field(description="Plain text, or null.")
    reply: str | None = Field(description="The provider's reply, or null.")
    created_at: datetime = Field(description="When it was written.")
    updated_at: datetime = Field(description="When it was last changed, for example by a reply.")


class RatingDistribution(Rating):
    """An average rating, and the number of reviews for each rating."""

    distribution: dict[Literal["1", "2", "3", "4", "5"], int] = Field(
        description="Number of reviews for each rating.", examples=[{"1": 0, "2": 1, "3": 0, "4": 4, "5": 12}]
    )


class ReviewPage(Page[Review]):
    """A page of a service's reviews, with its overall rating."""

    rating: RatingDistribution = Field(description="Over all reviews, not just those on this page.")
