"""Rows that are stored all the time: the INSERT of their models is written once, and prepared.

`create()` builds and compiles its statement each time, which takes longer than PostgreSQL does to store the row. The
model stays the source: its fields say which columns there are and how a value is written. No signals are sent, and a
key that the database makes is not read back.

    insert(booking, entry)  # both, in one statement
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models import AutoField, Field, ForeignKey, Model

from .compiled import prepared_cursor

PLAIN = {
    *(models.BooleanField, models.CharField, models.TextField, models.UUIDField),
    *(models.DateTimeField, models.DecimalField, models.AutoField, models.BigAutoField),
    *(models.SmallIntegerField, models.IntegerField, models.BigIntegerField),
    *(models.PositiveSmallIntegerField, models.PositiveIntegerField, models.PositiveBigIntegerField),
}


def insert(*rows: Model) -> None:
    """Store new rows, of any models, in one statement: one that refers to another needs no order, Django's foreign
    keys look at the commit. Raises what the database does."""
    _store(_statement(tuple(map(type, rows))), rows)


def insert_if_free(row: Model) -> bool:
    """Store a new row unless a constraint has another in its way; no error, so nothing to roll back."""
    return _store(_if_free(type(row)), (row,)) == 1


def _store(statement: str, rows: tuple[Model, ...]) -> int:
    values = [value for row in rows for value in _values(row)]
    with prepared_cursor(statement) as cursor:
        cursor.execute(statement, values)
        count: int = cursor.rowcount
    for row in rows if count else ():
        row._state.adding, row._state.db = False, connection.alias
    return count


@cache
def _if_free(model: type[Model]) -> str:
    return f"{_statement((model,))} ON CONFLICT DO NOTHING"


@cache
def _statement(models: tuple[type[Model], ...]) -> str:
    *before, last = map(_insert, models)
    named = ", ".join(f"row_{number} AS ({one})" for number, one in enumerate(before))
    return f"WITH {named} {last}" if before else last


def _insert(model: type[Model]) -> str:
    quoted, fields = connection.ops.quote_name, _fields(model)
    columns = ", ".join(quoted(str(field.column)) for field in fields)
    holders = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({holders})"  # noqa: S608  (names are ours)


@cache
def _fields(model: type[Model]) -> tuple["Field[Any, Any]", ...]:
    """The columns that are written: not those that the database fills."""
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
