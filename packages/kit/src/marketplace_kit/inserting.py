"""Rows that are stored all the time: the INSERT of their models is built once, and prepared.

`create()` builds and compiles its statement each time, which takes longer than PostgreSQL takes to store the row. The
model stays the source: its fields define the columns and how values are written. No signals are sent, and a key that
the database generates is not read back.

    insert(booking, entry)  # both, in one statement
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models import AutoField, Field, ForeignKey, Model

from .prepared import run_prepared

PLAIN = {
    *(models.BooleanField, models.CharField, models.TextField, models.UUIDField),
    *(models.DateTimeField, models.DecimalField, models.AutoField, models.BigAutoField),
    *(models.SmallIntegerField, models.IntegerField, models.BigIntegerField),
    *(models.PositiveSmallIntegerField, models.PositiveIntegerField, models.PositiveBigIntegerField),
}


def insert(*rows: Model, and_select: str = "", values: Sequence[Any] = ()) -> None:
    """Store new rows, of any models, in one statement. Rows that refer to each other can come in any order, as Django's
    foreign keys are checked at the commit. `and_select`, a SELECT for its side effects, joins the same statement.
    Raises what the database does."""
    _run(_statement(tuple(map(type, rows)), and_select), rows, values)
    _know_stored(rows)


def insert_if_free(row: Model, *others: Model) -> bool:
    """Store a new row, and others with it, unless a constraint conflicts with the first. A conflict is no error, so
    there is nothing to roll back."""
    is_free = _run(_if_free(type(row), *map(type, others)), (row, *others)) == 1
    if is_free:
        _know_stored((row, *others))
    return is_free


def _run(statement: str, rows: tuple[Model, ...], more: Sequence[Any] = ()) -> int:
    """How many rows its last part stored or found."""
    values = [value for row in rows for value in _values(row)]
    return int(run_prepared(statement, [*values, *more]).rowcount)


def _know_stored(rows: tuple[Model, ...]) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


@cache
def _if_free(model: type[Model], *others: type[Model]) -> str:
    first = f"{_insert(model)} ON CONFLICT DO NOTHING"
    if not others:
        return first
    # Only the first row is counted: a host's trigger may redirect the others.
    return _all_of(f"{first} RETURNING 1", *(_insert(other, where="row_0") for other in others), "SELECT FROM row_0")


@cache
def _statement(models: tuple[type[Model], ...], last: str = "") -> str:
    return _all_of(*map(_insert, models), *([last] if last else []))


def _all_of(*statements: str) -> str:
    """One statement that combines them all; those before the last are named `row_0`, `row_1` …"""
    *before, last = statements
    named = ", ".join(f"row_{number} AS ({one})" for number, one in enumerate(before))
    return f"WITH {named} {last}" if before else last


def _insert(model: type[Model], where: str = "") -> str:
    """The row; only where a part of the statement has given one.

    No value is cast: PostgreSQL takes those of a SELECT that it inserts for what their columns are, as in VALUES, and
    refuses what is too long for one, where a cast would cut it off.
    """
    quoted, fields = connection.ops.quote_name, _fields(model)
    columns, holders = ", ".join(quoted(str(field.column)) for field in fields), ", ".join(["%s"] * len(fields))
    source = f"SELECT {holders} FROM {where}" if where else f"VALUES ({holders})"  # noqa: S608  (names are ours)
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) {source}"


@cache
def _fields(model: type[Model]) -> tuple["Field[Any, Any]", ...]:
    """The columns that are written, without those that the database fills."""
    written = (field for field in model._meta.local_concrete_fields if not field.generated)
    return tuple(field for field in written if not isinstance(field, AutoField))


def _values(row: Model) -> list[Any]:
    return [getattr(row, name) if write is None else write(row) for name, write in _writers(type(row))]


@cache
def _writers(model: type[Model]) -> tuple[tuple[str, Callable[[Model], Any] | None], ...]:
    """The attribute of each column, and what makes of a row what the driver is given: None where it is the same."""
    return tuple((field.attname, None if _is_plain(field) else partial(_written, field)) for field in _fields(model))


def _is_plain(field: "Field[Any, Any]") -> bool:
    """Whether the driver is given the attribute itself, which takes a tenth of the time of asking the field."""
    if isinstance(field, ForeignKey):
        return _is_plain(field.target_field)
    return type(field) in PLAIN and not (getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))


def _written(field: "Field[Any, Any]", row: Model) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=True), connections[DEFAULT_DB_ALIAS])
