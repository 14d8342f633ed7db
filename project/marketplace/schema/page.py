"""The page: what `docs/schema.md` says."""

from collections.abc import Iterable, Iterator, Sequence
from inspect import getdoc

from django.apps import AppConfig

from . import diagrams, reading
from .purposes import BESIDES, GENERAL, PURPOSES
from .reading import Model, Rule

HEAD = """\
# The schema

The tables of the packages, and what each constraint and index is for: the rule that it holds, or the query that it
serves. `python3 -m uv run marketplace schema --write` writes this page: tables, columns and definitions as PostgreSQL
has them once all migrations are run in an empty database, the arrows from the models, and the purposes from
[purposes.py](../project/marketplace/schema/purposes.py). `tests/test_schema.py` fails where one of them is missing or
names nothing.

Not here: the tables of Django (`auth_…`, `django_…`) and of procrastinate, which makes the jobs' (`procrastinate_…`).
"""
OVERVIEW = """\
## All of it

An arrow's end says how many: of each thing one, or none or one (`o|`), or none or many (`o{`). Users stand for
`AUTH_USER_MODEL`: the packages know no more of it than its key.
"""
GENERAL_HEAD = """\
## What every table has

These are not in the lists below, as each is there for the same reason. References are `NO ACTION DEFERRABLE`: what
goes along with a deleted row, and what keeps it from being deleted, is said by the models' `on_delete`.
"""
BESIDES_HEAD = """\
## Extensions and functions
"""


def document() -> str:
    """The whole page, of the database that we are connected to."""
    apps = reading.our_apps()
    return "\n".join(
        [HEAD, *_overview(apps), *_general(), *(line for app in apps for line in _package(app)), *_besides()]
    )


def key_of(model: Model) -> str:
    """By which a table's purposes are found: `booking.Booking`."""
    return model._meta.label.removeprefix("marketplace_")


def particular(model: Model, rules: Iterable[Rule]) -> list[Rule]:
    """What the table has that needs a purpose of its own, or has one."""
    ours = [rule for rule in rules if rule.table == model._meta.db_table]
    return [rule for rule in ours if rule.kind not in GENERAL or rule.name in PURPOSES.get(key_of(model), {})]


def _overview(apps: Sequence[AppConfig]) -> list[str]:
    ours = [model for app in apps for model in app.get_models()]
    return [OVERVIEW, diagrams.overview(ours), ""]


def _general() -> list[str]:
    return [GENERAL_HEAD, *_table(("kind", "is there for"), GENERAL.items()), ""]


def _package(app: AppConfig) -> Iterator[str]:
    models = reading.tables_of(app)
    tables = [model._meta.db_table for model in models]
    yield f"## {app.label.removeprefix('marketplace_')}\n"
    yield from _table(("table", "a row is"), ((f"`{model._meta.db_table}`", _what(model)) for model in models))
    yield ""
    yield diagrams.of_models(models, reading.columns(tables))
    yield ""
    yield from _rules(models, reading.rules(tables))


def _rules(models: Iterable[Model], rules: Sequence[Rule]) -> Iterator[str]:
    for model in models:
        purposes = PURPOSES.get(key_of(model), {})
        if held := particular(model, rules):
            yield f"### {model.__name__}\n"
            shown = ((_named(rule), f"`{_in_cell(rule.definition)}`", purposes.get(rule.name, "")) for rule in held)
            yield from _table(("name", "definition", "is there for"), shown)
            yield ""


def _named(rule: Rule) -> str:
    """What made its name out of kind and columns says both already."""
    return rule.kind if rule.name.startswith(f"{rule.kind} (") else f"`{rule.name}`, {rule.kind}"


def _what(model: Model) -> str:
    """How the model describes itself; a table that Django made does not."""
    if model._meta.auto_created:
        *_, first, second = model._meta.local_fields
        return f"Which {second.name} a {first.name} has."
    return (getdoc(model) or "").split("\n\n")[0].replace("\n", " ")


def _besides() -> Iterator[str]:
    rows = [(f"`{one.name}`, {one.kind}", BESIDES.get(one.name, "")) for one in reading.besides()]
    return iter([BESIDES_HEAD, *_table(("what", "is there for"), rows), ""])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")
