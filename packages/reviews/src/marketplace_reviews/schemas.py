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
    """What the customer thought."""

    rating: Int = Field(ge=LOWEST, le=HIGHEST, description="1, the worst, to 5, the best.", examples=[5])
    comment: Text2000 = Field("", description="Anybody can read it.", examples=["On time, thorough and friendly."])


class ReplyToReview(In):
    """What the provider has to say to it."""

    reply: Annotated[str, AfterValidator(clean_text), Field(min_length=1, max_length=2000)] = Field(
        description="Anybody can read it; it takes the place of an earlier one.", examples=["Thank you, come again."]
    )


# --- out ---


class Review(Out):
    """What the customer of a completed booking thought."""

    id: UUID = Field(description="The review's id.")
    booking_id: UUID = Field(description="What was reviewed.")
    service_id: UUID = Field(description="The service that was booked.")
    author_id: UserId = Field(description="The customer.")
    rating: int = Field(description="1, the worst, to 5, the best.")
    comment: str | None = Field(description="Plain text, or null.")
    reply: str | None = Field(description="What the provider replied, or null.")
    created_at: datetime = Field(description="When it was written.")
    updated_at: datetime = Field(description="When it was last changed, as by a reply.")


class RatingDistribution(Rating):
    """What customers thought, and how many of them what."""

    distribution: dict[Literal["1", "2", "3", "4", "5"], int] = Field(
        description="How many reviews of each rating.", examples=[{"1": 0, "2": 1, "3": 0, "4": 4, "5": 12}]
    )


class ReviewPage(Page[Review]):
    """A page of a service's reviews, and how all of them together rate it."""

    rating: RatingDistribution = Field(description="By all of its reviews, whatever page this is.")
