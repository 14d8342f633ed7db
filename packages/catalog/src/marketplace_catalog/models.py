"""Categories and services, their constraints and their queries."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self, override
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.checks import CheckMessage
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import connection, models
from django.db.models import F, Prefetch, Q
from django.db.models.functions import Cast, Coalesce, NullIf, Round

from marketplace_kit.clock import now
from marketplace_kit.compiled import Compiled
from marketplace_kit.ids import uuid7
from marketplace_kit.money import MAX_AMOUNT
from marketplace_kit.users import is_staff
from marketplace_media.models import File, url_of
from marketplace_scheduling.models import Schedule

from .conf import conf
from .lifecycle import CancellationPolicy


class StoredColumn(models.GeneratedField):
    """Django's own asks the server for its version when it is checked, and `manage.py check` shall do without one."""

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return super().check(**{**kwargs, "databases": []})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.GeneratedField", args, kwargs


PLAIN_SLUG = r"^[a-z0-9_-]+$"


class CategoryQuerySet(models.QuerySet["Category"]):
    def tree(self) -> list["Category"]:
        """All of them, parents before their children, those of one parent in their own order."""
        below = defaultdict(list)
        for category in self.order_by("position", "slug"):
            below[category.parent_id].append(category)
        found = below[None]
        for category in found:
            found += below[category.pk]
        return found

    def branch(self, top: str | int) -> list[int]:
        """The keys of a category, named by its slug or key, and of all below it; none where it is not there."""
        below, found = defaultdict(list), list[int]()
        for key, parent, slug in TREE.rows(None, {}):
            below[parent].append(key)
            if top in (key, slug):
                found.append(key)
        for key in found:
            found += [child for child in below[key] if child not in found]
        return found


TREE = Compiled[None](lambda how, values: Category.objects.values_list("pk", "parent_id", "slug"), prepared=True)


class Category(models.Model):
    """A node of the tree that services are filed under."""

    slug = models.SlugField(max_length=60, unique=True, validators=(RegexValidator(PLAIN_SLUG),))
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    position = models.PositiveSmallIntegerField(default=0)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ("position", "slug")
        verbose_name_plural = "categories"
        constraints = (
            models.CheckConstraint(condition=~Q(parent=F("id")), name="catalog_category_not_its_own_parent"),
            models.CheckConstraint(condition=Q(slug__regex=PLAIN_SLUG), name="catalog_category_plain_slug"),
        )

    def __str__(self) -> str:
        return self.name

    @override
    def clean(self) -> None:
        if self.parent is not None and self in self.parent._upwards():
            raise ValidationError({"parent": "A category can't be placed below itself."})

    @property
    def words(self) -> str:
        """What services are found by for being filed here: its name, and the names above it."""
        return " ".join(category.name for category in self._upwards())

    def _upwards(self) -> Iterator["Category"]:
        seen, category = set(), self
        while category is not None and category.pk not in seen:
            yield category
            seen.add(category.pk)
            category = category.parent  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class ProviderCard:
    """What a service shows of its provider."""

    id: Any
    first_name: str
    last_name: str
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Rating:
    """The mean of a service's reviews, None while there are none."""

    average: Decimal | None
    count: int


type ViewerKind = Literal["anybody", "user", "staff"]


def viewer_kind(user: AbstractBaseUser | None) -> ViewerKind:
    """What it hangs on which services somebody may read."""
    if user is None:
        return "anybody"
    return "staff" if is_staff(user) else "user"


class ServiceQuerySet(models.QuerySet["Service"]):
    def live(self) -> Self:
        """Those that are not deleted."""
        return self.filter(deleted_at=None)

    def listed(self) -> Self:
        """Those that anybody may find."""
        return self.live().filter(is_active=True)

    def visible_to(self, user: AbstractBaseUser | None) -> Self:
        """Those that this user may read: the listed ones, his own, and for staff all that are not deleted."""
        return self.readable(viewer_kind(user), None if user is None else user.pk)

    def readable(self, kind: ViewerKind, user_id: Any) -> Self:
        """The same for a kind of viewer and his key."""
        if kind == "anybody":
            return self.listed()
        return self.live() if kind == "staff" else self.live().filter(Q(is_active=True) | Q(provider=user_id))

    def offered_by(self, user_id: Any) -> Self:
        return self.filter(provider=user_id)

    def in_category(self, slug: str) -> Self:
        """Those in a category or in one below it."""
        # By keys, asked for beforehand (few rows, which a host can cache): with a join or a subquery the planner
        # does not know how many services they have, and walks the wrong index.
        return self.in_categories(Category.objects.branch(slug))

    def in_categories(self, keys: Sequence[int]) -> Self:
        """Those that are filed under one of these."""
        return self.filter(category__in=keys)

    def scheduled(self, keys: Sequence[UUID]) -> Self:
        """Those of these keys with their schedules, and without their texts."""
        rows = self.filter(pk__any_of=keys).select_related("schedule")
        return rows.defer("title", "description", "category_words")

    def with_details(self) -> Self:
        """All that a service shows, in one query for the rows and one for their images."""
        shown = {f"provider_{name}": F(path) for name, path in conf.PROVIDER_FIELDS.items()}
        images = ServiceFile.objects.filter(file__kind="image").select_related("file").order_by("position", "id")
        return (
            self.select_related("category", "schedule")
            .annotate(**shown)
            .prefetch_related(Prefetch("files", queryset=images, to_attr="shown_images"))
        )


def _listed(name: str, *fields: str) -> models.Index:
    """An index of the services that anybody may find."""
    return models.Index(fields=fields, name=f"catalog_service_{name}", condition=Q(is_active=True, deleted_at=None))


class Service(models.Model):
    """Something that a provider offers and customers book."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    title = models.CharField(max_length=200)
    description = models.TextField(max_length=10_000)
    category = models.ForeignKey(Category, models.PROTECT, related_name="services")
    # Copied by the actions: a generated column, as the search's is, sees nothing but its own row.
    category_words = models.TextField(default="", db_default="", editable=False)
    # Without max_digits it is PostgreSQL's plain numeric, which keeps the decimals that the currency has.
    price = models.DecimalField()
    currency = models.CharField(max_length=3)
    schedule = models.OneToOneField(Schedule, models.PROTECT, related_name="+")
    cancellation_policy = models.CharField(
        max_length=20, choices=CancellationPolicy.choices, default=CancellationPolicy.FLEXIBLE
    )
    auto_confirm = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    rating_sum = models.PositiveBigIntegerField(default=0)
    rating_count = models.PositiveIntegerField(default=0)
    # 0 while there are none, so that those come last and never between.
    rating_average = StoredColumn(
        expression=Coalesce(
            Round(Cast("rating_sum", models.DecimalField()) / NullIf("rating_count", 0), precision=2),
            models.Value(Decimal(0)),
            output_field=models.DecimalField(),
        ),
        output_field=models.DecimalField(),
        db_persist=True,
    )
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # The table has one more column, `search`, made by the migration of that name and read in search.py: it is as long
    # as all the words of a service, so that no ordinary select should carry it.

    # What `with_details` brings along.
    shown_images: "list[ServiceFile]"
    provider_first_name: str
    provider_last_name: str
    provider_avatar_key: str | None

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(price__gte=0, price__lte=MAX_AMOUNT), name="catalog_service_price_in_range"
            ),
            models.CheckConstraint(
                condition=Q(cancellation_policy__in=CancellationPolicy.values), name="catalog_service_policy_known"
            ),
            models.CheckConstraint(
                condition=Q(rating_sum__gte=F("rating_count"), rating_sum__lte=F("rating_count") * 5),
                name="catalog_service_rating_in_range",
            ),
        )
        indexes = (
            # Behind the order stand the columns that lists are filtered by, so that what a filter leaves out is
            # never read from the table: the worst filter walks the index, some 50 ms for a million services.
            _listed("newest", "-created_at", "-id", "category", "currency", "price", "rating_average"),
            _listed("in_category", "category", "-created_at", "-id"),
            _listed("cheapest", "price", "id", "category", "currency", "rating_average"),
            _listed("in_currency", "currency", "price", "id", "category", "rating_average"),
            _listed("best_rated", "-rating_average", "-rating_count", "-id", "category", "currency", "price"),
            models.Index(fields=("provider", "-created_at", "-id"), name="catalog_service_of_provider"),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def provider_card(self) -> ProviderCard:
        """What is shown of the provider; the row comes from `with_details()`."""
        key = getattr(self, "provider_avatar_key", None)  # a project need not have pictures
        return ProviderCard(
            id=self.provider_id,
            first_name=self.provider_first_name,
            last_name=self.provider_last_name,
            avatar_url=url_of(key) if key else None,
        )

    @property
    def image_urls(self) -> list[str]:
        """The addresses of its images, in their order; the row comes from `with_details()`."""
        return [item.file.url for item in self.shown_images]

    @property
    def rating(self) -> Rating:
        return Rating(self.rating_average if self.rating_count else None, self.rating_count)

    def free_slots(self, start: datetime, end: datetime) -> Sequence[tuple[datetime, datetime]]:
        """Every slot that starts in the span and that a booking would take now; none while it is inactive."""
        return self.schedule.free_slots(self.provider_id, start, end) if self.is_bookable else []

    def free_starts(self, start: datetime, end: datetime) -> Sequence[datetime]:
        """Where those slots start."""
        return self.schedule.free_starts(self.provider_id, start, end) if self.is_bookable else []

    def explain(self, start: datetime) -> list[str]:
        """Every reason why `start` can't be booked now; a naive one is what the service's own clock shows."""
        return [*([] if self.is_bookable else ["inactive"]), *self.schedule.explain(self.provider_id, start)]

    @property
    def is_bookable(self) -> bool:
        return self.is_active and self.deleted_at is None

    def count_files(self, kind: str) -> int:
        """How many files of this kind it has."""
        return ServiceFile.objects.of(self.pk, kind).count()

    def is_owned_by(self, user_id: Any) -> bool:
        return bool(self.provider_id == user_id)


class ServiceFileQuerySet(models.QuerySet["ServiceFile"]):
    def of(self, service_id: UUID, kind: str) -> Self:
        """The files of a service that are of this kind, in their order."""
        return self.filter(service=service_id, file__kind=kind).select_related("file").order_by("position", "id")

    def with_facts(self) -> Self:
        """With what is known of the file, by its own names."""
        return self.annotate(**{name: F(f"file__{name}") for name in FILE_FACTS})


FILE_FACTS = ("kind", "filename", "content_type", "size", "created_at")


class ServiceFile(models.Model):
    """An image or a document of a service, and its place in the order."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="files", db_index=False)
    file = models.OneToOneField(File, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()  # among those of its kind, from 0, without gaps

    objects = ServiceFileQuerySet.as_manager()

    class Meta:
        ordering = ("position", "id")
        indexes = (models.Index(fields=("service", "position"), name="catalog_file_of_service"),)

    def __str__(self) -> str:
        return str(self.file_id)

    @property
    def shown(self) -> File:
        """The file, told its position."""
        self.file.position = self.position  # type: ignore[attr-defined]
        return self.file


class WordQuerySet(models.QuerySet["Word"]):
    def learn(self, text: str) -> None:
        """Know the words of `text` from now on."""
        self._insert("SELECT unnest(tsvector_to_array(to_tsvector('simple', marketplace_catalog_plain(%s))))", text)

    def learn_all(self) -> None:
        """Know the words of every service: for rows that were not written by the actions. 6 s for a million."""
        self._insert("SELECT word FROM ts_stat('SELECT search FROM marketplace_catalog_service')")

    def _insert(self, words: str, *params: Any) -> None:
        # What is known is left alone, and the rest goes in by order: two transactions that learn the same words
        # neither wait for each other without need nor in a circle.
        unknown = f"""
            INSERT INTO marketplace_catalog_word (word, learned_at)
            SELECT said.word, %s FROM ({words}) AS said (word)
            WHERE said.word ~ '^[[:alpha:]]{{3,30}}$'
            AND NOT EXISTS (SELECT FROM marketplace_catalog_word AS known WHERE known.word = said.word)
            ORDER BY said.word ON CONFLICT DO NOTHING
        """  # noqa: S608  (both texts are ours)
        with connection.cursor() as cursor:
            cursor.execute(unknown, [now(), *params])


class Word(models.Model):
    """A word that some service has or had, as the search sees it: where typing errors are looked up."""

    word = models.CharField(max_length=30, primary_key=True)
    learned_at = models.DateTimeField()

    objects = WordQuerySet.as_manager()

    class Meta:
        indexes = (GinIndex(OpClass("word", "gin_trgm_ops"), name="catalog_word_alike"),)

    def __str__(self) -> str:
        return self.word
