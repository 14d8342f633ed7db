"""Compiled queries: the rows of the QuerySet, whatever its shape and its values."""

from decimal import Decimal

import pytest
from django.db.models import F, Q
from django.db.models.fields.tuple_lookups import TupleGreaterThan
from tests.people.models import Thing

from marketplace_kit import compiled
from marketplace_kit.compiled import Compiled, Instances, Sql
from marketplace_kit.models import IdempotencyKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def things():
    return [Thing.objects.create(name="abc"[n % 3], price=Decimal(n) / 2) for n in range(9)]


def listed(rows):
    return rows.order_by("id").values_list("id", "name", "price")


SHAPES = {
    "one value": (lambda how, v: Thing.objects.filter(name=v["name"]), [{"name": "a"}, {"name": "b'%s"}]),
    "a span": (
        lambda how, v: Thing.objects.filter(price__gte=v["low"], price__lt=v["high"]),
        [{"low": Decimal(1), "high": Decimal("2.5")}, {"low": Decimal(1), "high": Decimal(1)}],
    ),
    "one value twice": (
        lambda how, v: Thing.objects.filter(Q(price=v["it"]) | Q(price__gt=v["it"])),
        [{"it": Decimal(2)}, {"it": Decimal(4)}],
    ),
    "a comparison of rows": (
        lambda how, v: Thing.objects.filter(TupleGreaterThan((F("name"), F("price")), (v["name"], v["price"]))),
        [{"name": "b", "price": Decimal(1)}, {"name": "c", "price": Decimal(3)}],
    ),
    "all but one": (lambda how, v: Thing.objects.exclude(name=v["name"]), [{"name": "a"}, {"name": "zzz"}]),
    "constants": (lambda how, v: Thing.objects.filter(name__in=["a", "b"], price__gt=v["low"]), [{"low": Decimal(1)}]),
    "no value": (lambda how, v: Thing.objects.filter(name="a"), [{}]),
    "nothing": (lambda how, v: Thing.objects.filter(name__in=[], price=v["price"]), [{"price": Decimal(1)}]),
}


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(("build", "asked"), SHAPES.values(), ids=SHAPES)
def test_the_rows_are_those_of_the_queryset(things, build, asked, prepared):
    query = Compiled[None](lambda how, values: listed(build(how, values)), prepared=prepared)

    for values in asked * 2:
        assert query.rows(None, values) == [*listed(build(None, values))]
    assert [plan is None for plan in query.plans.values()] == [False]


def test_a_shape_is_built_once_and_the_values_are_bound_anew(things):
    built = []

    def build(limit, values):
        built.append((limit, *values))
        rows = Thing.objects.filter(**values).order_by("id").values_list("id")
        return rows[:limit]

    query = Compiled[int](build)
    for name in "abc":
        for limit in (1, 2):
            assert query.rows(limit, {"name": name}) == [(thing.pk,) for thing in things if thing.name == name][:limit]
        assert query.rows(1, {"price__gte": Decimal(1)}) == [(things[2].pk,)]

    # Once to learn, and once with the values for comparison.
    assert built == [(1, "name")] * 2 + [(2, "name")] * 2 + [(1, "price__gte")] * 2


def test_many_keys_are_one_value(things):
    query = Compiled[None](lambda how, values: listed(Thing.objects.filter(id__any_of=values["keys"])), prepared=True)

    for count in (0, 1, 5, 9):
        keys = [thing.pk for thing in things[:count]]
        assert query.rows(None, {"keys": keys}) == [*listed(Thing.objects.filter(id__in=keys))]
    assert len(query.plans) == 1


def test_columns_come_in_the_form_that_the_model_gives_them():
    IdempotencyKey.objects.create(
        user="1", method="POST", path="/", key="k", body_hash="", status=200, headers={"A": "b"}
    )
    query = Compiled[None](lambda how, values: IdempotencyKey.objects.filter(**values).values_list("headers", "key"))

    assert query.rows(None, {"key": "k"}) == [({"A": "b"}, "k")]


def around(how, values):
    dear = Thing.objects.filter(price__gte=values["low"]).order_by("price", "id").values_list("name", "price")
    return Sql.of(dear).then("LIMIT %s", values["most"]).select("name, count(*)", "WHERE name <> %s GROUP BY 1", "b")


def test_what_a_queryset_cannot_say_is_said_around_it(things):
    query = Compiled[None](around)

    for low, most in ((0, 9), (1, 3), (9, 1)):
        near = [thing.name for thing in things if thing.price >= low][:most]
        found = query.rows(None, {"low": Decimal(low), "most": most})
        assert sorted(found) == [(name, near.count(name)) for name in "ac" if name in near]
    assert [plan is None for plan in query.plans.values()] == [False]


def test_around_what_nothing_can_meet_nothing_is_asked(things, django_assert_num_queries):
    query = Compiled[None](lambda how, v: Sql.of(Thing.objects.filter(id__in=[], **v).values_list()).select("count(*)"))

    with django_assert_num_queries(0):
        assert [query.rows(None, {"name": name}) for name in "ab"] == [[], []]


@pytest.mark.parametrize(
    "build",
    [
        lambda how, values: Thing.objects.filter(price__gt=1) if values["name"] == "a" else Thing.objects.all(),
        lambda how, values: Thing.objects.filter(name=values["name"] if values["name"] == "a" else "b"),
    ],
    ids=["another shape", "another value"],
)
@pytest.mark.parametrize("wrap", [lambda rows: rows, Sql.of], ids=["plain", "around"])
def test_a_query_that_hangs_on_its_values_is_asked_without(things, build, wrap, caplog):
    query = Compiled[None](lambda how, values: wrap(listed(build(how, values))))

    for name in "aba":
        assert query.rows(None, {"name": name}) == [*listed(build(None, {"name": name}))]
    assert [*query.plans.values()] == [None]


def test_whoever_tries_all_shapes_fills_no_memory(things, monkeypatch):
    monkeypatch.setattr(compiled, "MOST", 3)
    query = Compiled[int](lambda limit, values: listed(Thing.objects.all())[:limit])

    for limit in range(1, 9):
        assert len(query.rows(limit, {})) == limit
    assert len(query.plans) <= 3


@pytest.mark.parametrize("hangs_on_its_values", [False, True])
def test_what_stands_behind_it_is_always_there(things, hangs_on_its_values, django_assert_num_queries):
    def build(how, values):
        rows = Thing.objects.filter(name=values["name"])
        rows = rows.filter(price__gte=0) if hangs_on_its_values and values["name"] == "a" else rows
        return Sql.of(listed(rows)).then("FOR KEY SHARE")

    query = Compiled[None](build)
    for name in "ab":
        expected = [*listed(Thing.objects.filter(name=name))]
        with django_assert_num_queries(1) as asked:
            assert query.rows(None, {"name": name}) == expected
        assert asked[0]["sql"].endswith("FOR KEY SHARE")
    assert [plan is None for plan in query.plans.values()] == [hangs_on_its_values]


def test_instances_are_those_of_the_model_and_the_rest_is_read_when_asked_for(things, django_assert_num_queries):
    whole, part = Instances(Thing), Instances(Thing, only=["name"])
    for instances in (whole, part):
        rows = Thing.objects.order_by("id").values_list(*instances.columns)
        assert [instances.made(row) for row in rows] == things

    thing = part.made((things[3].pk, "d"))
    with django_assert_num_queries(0):
        assert (thing.pk, thing.name) == (things[3].pk, "d")
    with django_assert_num_queries(1):
        assert thing.price == things[3].price
