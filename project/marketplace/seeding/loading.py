"""Rows into tables, by COPY: a batch is one transaction, and the next is made while PostgreSQL takes this one."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from django.db import connection, models, transaction

type Row = dict[str, Any]  # by the names of the attributes; what is not named gets the field's default
type Batch = Mapping[type[models.Model], Sequence[Row]]  # in an order in which nothing points to what comes later


@dataclass(frozen=True)
class Stage:
    """So many units of one kind, in parts of which each can be made without the others."""

    name: str
    model: type[models.Model]
    parts: Sequence[range]
    key: Callable[[int], str]  # of the unit of this number, which tells that its part is there
    make: Callable[[range], Batch]

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    def missing(self) -> list[range]:
        """The parts that are not stored yet."""
        keys = {self.key(part.start): part for part in self.parts}
        stored = self.model._default_manager.filter(pk__in=keys).values_list("pk", flat=True)
        for key in stored:
            del keys[str(key)]
        return list(keys.values())


def parts(size: int, step: int) -> list[range]:
    return [range(start, min(start + step, size)) for start in range(0, size, step)]


def load(stage: Stage) -> Iterator[int]:
    """Store what is missing, telling after each part how many units are there."""
    missing = stage.missing()
    done = stage.size - sum(map(len, missing))
    yield done
    with ThreadPoolExecutor(1) as maker:
        ahead = deque(maker.submit(stage.make, part) for part in missing[:1])
        for part, following in zip_longest(missing, missing[1:]):
            batch = ahead.popleft().result()
            if following:
                ahead.append(maker.submit(stage.make, following))
            store(batch)
            done += len(part)
            yield done


@transaction.atomic
def store(batch: Batch) -> None:
    """All of it or nothing, every constraint looked at."""
    with connection.cursor() as cursor:
        # At once, not at the commit, where PostgreSQL would keep a note of each row until then.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL synchronous_commit = off")
    for model, rows in batch.items():
        _copy(model, rows)


def _copy(model: type[models.Model], rows: Sequence[Row]) -> None:
    quote = connection.ops.quote_name
    given = _given(model)
    names = ", ".join(quote(column) for column, _ in given.values())
    defaults = [(name, default) for name, (_, default) in given.items()]
    table = quote(model._meta.db_table)
    into = f"COPY {table} ({names}) FROM STDIN"
    # Django's cursor does not know `copy`, so that it would let psycopg's own errors out.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row([row.get(name, default) for name, default in defaults])


def _given(model: type[models.Model]) -> dict[str, tuple[str, Any]]:
    """By attribute the column and its default; without what PostgreSQL fills in itself."""
    return {
        field.attname: (field.column or field.attname, field.get_db_prep_save(field.get_default(), connection))
        for field in model._meta.concrete_fields
        if not field.generated and not isinstance(field, models.AutoField)
    }


def analyze(tables: Sequence[type[models.Model]]) -> None:
    """Let PostgreSQL count what came, so that it plans with it."""
    names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {names}")
