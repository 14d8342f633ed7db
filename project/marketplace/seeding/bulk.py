"""A marketplace of any size: the stages in their order, and what holds them together."""

from django.contrib.auth.hashers import make_password

from marketplace_accounts.models import Profile, User
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_catalog.actions import forget_cached
from marketplace_catalog.models import Category, Service, Word
from marketplace_reviews.actions import recount
from marketplace_reviews.models import Review
from marketplace_scheduling.models import Reservation, Schedule, ScheduleException

from .agreements import Agreements
from .books import TABLES
from .loading import Batch, Stage, analyze, load, parts
from .money import Money
from .offers import Offers
from .people import People
from .plan import Plan
from .progress import Shows
from .records import Records
from .verdicts import Verdicts

PART = 5_000  # rows that are made together
FILLED = (
    *(User, Profile, Schedule, ScheduleException, Service),
    *(Reservation, Booking, HistoryEntry, *TABLES, Review),
)


def seed(plan: Plan, password: str, show: Shows) -> None:
    """Store the plan's rows. What is there from a run before is left alone, so one that was broken off goes on.

    Everybody signs in with `password`; it is hashed once, with a salt that follows from the plan.
    """
    for stage in stages(plan, make_password(password, salt=f"seeded{plan.tag}")):
        show(stage.name, stage.size, load(stage))
    recount()  # services are rated by their reviews
    Word.objects.learn_all()  # for the typing errors of those who search
    analyze((*FILLED, Word))
    forget_cached()


def stages(plan: Plan, password: str) -> list[Stage]:
    """What is stored, in an order in which nothing points to what comes later. `password` is a hash."""
    people = People(plan, password)
    offers = Offers(plan, people, Category.objects.select_related("parent__parent"))
    agreements = Agreements(plan, offers)
    records, money, verdicts = Records(plan, offers), Money(plan, people), Verdicts(plan, offers)

    def bookings(numbers: range) -> Batch:
        made = list(agreements.within(numbers))
        return {**records.batch(made), **money.batch(made), **verdicts.batch(made)}

    return [
        Stage("providers", User, parts(plan.providers, PART), people.provider_id, people.providers),
        Stage("customers", User, parts(plan.customers, PART), people.customer_id, people.customers),
        Stage("services", Service, parts(plan.services, PART), offers.service_id, offers.batch),
        Stage("bookings", Booking, agreements.parts(), agreements.booking_id, bookings),
    ]
