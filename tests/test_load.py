"""The benchmarks run: each question is one that is answered, and the tables are written where they belong."""

from argparse import Namespace

import pytest
from django.core.signals import request_finished, request_started
from tests.load import caching, databases, floor, search
from tests.load.app import App
from tests.load.driving import Figures, Turn
from tests.load.operations import BOOK, OPERATIONS, Asker, noted
from tests.load.questions import KINDS, Catalog, Vocabulary
from tests.load.tables import percentile, write

from marketplace.seeding import PASSWORD
from marketplace.seeding.bulk import seed
from marketplace.seeding.plan import Plan
from marketplace_kit.clock import now


@pytest.fixture
def seeded(db, monkeypatch):
    for moment in (
        request_started,
        request_finished,
    ):  # the end of a request must not be that of the test's transaction
        monkeypatch.setattr(moment, "send", lambda *args, **kwargs: [])
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


def test_a_document_without_the_place_for_it_is_left_alone(tmp_path):
    document = tmp_path / "other.md"
    document.write_text("Nothing here.\n")

    with pytest.raises(ValueError, match="search"):
        write(document, "search", "text")

    assert document.read_text() == "Nothing here.\n"


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (0.26, 2), (1, 4)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile([4, 1, 3, 2], share) == value
