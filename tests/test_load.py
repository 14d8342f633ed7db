"""The benchmarks run: each question is one that is answered, and the tables are written where they belong."""

from argparse import Namespace
from collections import Counter

import pytest
from django.core.signals import request_finished, request_started
from django.db import connection
from django.db.models import Count, F, OuterRef, Subquery
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.load import bookings, caching, databases, floor, growth, search, worker
from tests.load.app import App
from tests.load.driving import Figures, Turn
from tests.load.operations import BOOK, OPERATIONS, Asker, noted
from tests.load.questions import KINDS, Catalog, Vocabulary
from tests.load.tables import percentile, write

from marketplace.seeding import PASSWORD
from marketplace.seeding.bulk import seed
from marketplace.seeding.plan import Plan
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_kit.clock import now
from marketplace_scheduling.models import Reservation


@pytest.fixture
def in_process(db, monkeypatch):
    for moment in (
        request_started,
        request_finished,
    ):  # the end of a request must not be that of the test's transaction
        monkeypatch.setattr(moment, "send", lambda *args, **kwargs: [])


@pytest.fixture
def seeded(in_process, monkeypatch):
    seed(Plan.of(services=300, bookings=20, today=now().date()), PASSWORD, lambda name, size, done: list(done))
    monkeypatch.setattr(databases, "use", lambda services: None)


def test_every_kind_of_question_is_answered(seeded):
    catalog = Catalog(Vocabulary())
    questions = {kind: [*kind.ask(catalog)][:1] for kind in KINDS}
    assert [kind.name for kind, paths in questions.items() if not paths] == ["a rare word (up to 0.1 % have it)"]

    asked = {kind: paths for kind, paths in questions.items() if paths}
    figures = search.measured({300: asked}, rounds=1)
    [*search.looked_into(300, asked, figures[300])]
    text = search.report(figures, 1, [])

    assert all(f"| {kind.name} |" in text for kind in asked)
    assert "No plan reads the whole table" in text


def test_a_plan_that_reads_the_whole_table_is_told():
    inner = {"Node Type": "Seq Scan", "Relation Name": "marketplace_catalog_service"}
    plan = {"Node Type": "Sort", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "marketplace_media_file"}, inner]}

    assert [node for node in search.nodes(plan) if search.reads_all(node)] == [inner]


def test_with_the_caches_nothing_is_asked(seeded, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(caching, "TURNS", 1)
    document = tmp_path / "caching.md"
    document.write_text(
        "Before.\n\n<!-- caching: made by `python -m tests.load caching` -->\nold\n<!-- /caching -->\n\nAfter.\n"
    )

    caching.run(Namespace(services=300, seconds=0.01, write=True, document=document))

    text = document.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "old" not in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert [row[1] != "0" and row[5] == "0" for row in rows] == [True] * 5, rows


def test_what_the_floor_is_compared_by_is_answered(seeded):
    asker, app = Asker(), App()
    asked = {one.name: one.ask(asker) for one in OPERATIONS}
    bookings = asker.bookings(50)
    asker.give_back(bookings[40:])

    assert [name for name, requests in asked.items() if not requests] == [BOOK]
    for one in OPERATIONS:
        for request in asked[one.name][:3]:
            assert request.caller or app.get(request.path)
            assert request.line("token").count("\t") == 5
    assert len(noted(asked["search: two words"][:3], app.get)) == 3
    assert len({request.body for request in bookings}) == 50
    assert asker.bookings(10) == bookings[40:]


@pytest.mark.django_db
def test_the_figures_of_the_floor_tell_which_goals_are_met():
    ours, bares = (Figures([Turn(rate, 10, 20, 1.5, 100, 999)] * 3) for rate in (400, 1000))
    results = {setting: dict.fromkeys(OPERATIONS, (ours, bares)) for setting in (floor.FIRST, floor.Setting(2, 64))}
    asked = Namespace(services=1, providers=1, bookings=1, seconds=1, rounds=3)

    first, second = floor.report(results, asked).split("### ")[1:]

    met = {row.split(" | ")[0][2:]: row[:-2].split(" | ")[-1] for row in first.splitlines() if "goal" not in row}
    assert [met[one.name] for one in OPERATIONS] == ["no", "no", "yes", "yes", "", "", "yes"]
    assert "met" not in second
    assert "0.40" in second
    assert floor.plot(results[floor.FIRST]).count("<rect") == 1 + 2 + 2 * len(OPERATIONS)


@pytest.fixture
def many(in_process):
    """Bookings that PostgreSQL made, and what the tables demanded before."""
    plan = Plan.of(services=300, providers=150, customers=60, bookings=0, today=now().date())
    seed(plan, PASSWORD, lambda name, size, done: list(done))
    before = demanded()
    bookings.put(2000)
    return before


def demanded():
    with connection.cursor() as cursor:
        tables = [*bookings.TABLES]
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ANY(%s::regclass[])"
            " UNION ALL SELECT '', pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY(%s::regclass[])",
            [tables, tables],
        )
        return sorted(cursor.fetchall())


def test_bookings_by_the_million_are_what_the_tables_demand(many):
    assert demanded() == many
    last = HistoryEntry.objects.filter(booking=OuterRef("pk")).order_by("-created_at").values("to_status")[:1]
    told = Booking.objects.annotate(told=Subquery(last))
    ranked = Booking.objects.values("provider").annotate(size=Count("pk")).order_by("-size")

    assert Booking.objects.count() == 2000
    assert not told.exclude(status=F("told")).exists()
    assert {*Booking.objects.values_list("status", flat=True)} >= {"confirmed", "completed", "cancelled"}
    assert Booking.objects.exclude(status="cancelled").count() == Reservation.objects.count()
    assert not Booking.objects.lapsed().exists()
    assert not Booking.objects.to_be_reminded_of().exists()
    assert ranked[0]["size"] > ranked[149]["size"]


@pytest.mark.parametrize(("size", "minutes"), [(1_000_000, 1_080), (10_000_000, 108), (18_000_000, 60)])
def test_no_two_bookings_of_a_provider_meet(size, minutes):
    assert bookings.step(size // 10, bookings.BUSY) == minutes


def test_more_bookings_than_hours_are_refused():
    with pytest.raises(AssertionError, match="more providers"):
        bookings.step(2_000_000, bookings.BUSY)


def test_each_step_of_a_booking_among_many_is_measured(many):
    figures = {name: growth.Figures() for name in growth.NAMES}
    scene = growth.Scene.found(4)

    growth.take_turn(scene, figures)
    growth.take_turn(scene, figures)  # what was called off is free again

    assert len({plot.provider for plot in scene.plots}) == 4
    assert all(len(one.total) == len(one.database) > 0 and len(one.pages) == 2 for one in figures.values())
    assert Booking.objects.filter(customer__in=[plot.customer for plot in scene.plots], notes="").count() >= 8
    many = {300: figures, 2000: figures}
    text = growth.report(many, {300: 0.1, 2000: 0.5}, Namespace(each=4, rounds=2))
    assert all(text.count(f"| {name} |") == 2 for name in growth.NAMES)
    assert "No whole table" in text
    figures[growth.CREATE].scans = 3
    assert f"- {growth.CREATE}: 3" in growth.report(many, {300: 0.1, 2000: 0.5}, Namespace(each=4, rounds=2))


JOBS = {worker.STREAM: "publish", worker.MAIL: "send_email", worker.WEBHOOK: "deliver"}


@pytest.mark.parametrize("name", worker.CHANNELS)
def test_what_the_worker_is_given_goes_by_the_channel_that_is_measured(seeded, name):
    told = [*Booking.objects.select_related("service")]
    worker.open_webhooks({booking.customer_id for booking in told}, "http://127.0.0.1:1/")
    worker.choose(worker.CHANNELS[name], told)

    for booking in told:
        worker.tell(booking)

    jobs = Counter(ProcrastinateJob.objects.values_list("task_name", flat=True))
    wanted = {f"marketplace_notifications.{JOBS[channel]}": len(told) for channel in worker.CHANNELS[name]}
    assert jobs == wanted


def test_the_figures_of_the_worker(db):
    its = worker.Figures(facts=2000, jobs=3000, seconds=20, cpu=30, alone=[5.0, 7.0, 40.0])

    text = worker.report(
        {worker.STREAM: its, "all three": worker.Figures(2000, 6000, 50, 60)}, Namespace(facts=1, alone=3)
    )

    assert "| stream | 100 | 150 | 15 | 3,000 | 7.0 | 40 |" in text
    assert "| all three | 40 | 120 | 30 | 6,000 |  |  |" in text


def test_a_document_without_the_place_for_it_is_left_alone(tmp_path):
    document = tmp_path / "other.md"
    document.write_text("Nothing here.\n")

    with pytest.raises(ValueError, match="search"):
        write(document, "search", "text")

    assert document.read_text() == "Nothing here.\n"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (0.26, 2), (1, 4)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile([4, 1, 3, 2], share) == value
