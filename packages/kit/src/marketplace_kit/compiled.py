"""Queries that run all the time: compiled to SQL once for each shape of their filters, then only bound to new values.

Building a QuerySet and compiling it takes several times as long as PostgreSQL takes for the answer. The QuerySet stays
the source of the SQL: it is built once with a `Later` in place of each value. When a shape is met for the first time it
is built with the values too, and unless both give the same SQL, that shape is never compiled.

    DEAR = Compiled(lambda limit, values: Service.objects.filter(price__gte=values["low"]).values_list("id")[:limit])
    DEAR.rows(20, {"low": Decimal(5)})

What a QuerySet can't express is added around it with `Sql`.

Lookups by key can be `prepared` as well: planning five joins takes longer than following them. Filtered queries should
not be, since the best index depends on the values.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Expression, Field, ForeignObject, Lookup, Model, QuerySet

from .prepared import run_prepared

type Row = tuple[Any, ...]
type Values = Mapping[str, Any]

log = structlog.get_logger(__name__)

MOST = 1_000  # shapes that are kept of one query: more are only made by somebody who tries them all


class Later(Expression):
    """Stands in a QuerySet for a value that is known later; the value must be of the column's own Python type."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


@ForeignObject.register_lookup
@Field.register_lookup
class AnyOf(Lookup):
    """`key__any_of=keys`: what `__in` finds, but with one parameter, so in one shape however many there are."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} = ANY {right if right.startswith('(') else f'({right})'}", (*left_params, *right_params)


class Sql(NamedTuple):
    """A statement around a QuerySet, and its parameters in their order. Columns come as the driver gives them."""

    text: str
    params: tuple[Any, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any, Row]) -> Self:
        return cls(*rows.query.sql_with_params())

    def then(self, more: str, *params: Any) -> Self:
        """The statement with more at its end."""
        return type(self)(f"{self.text} {more}", (*self.params, *params))

    def select(self, columns: str, more: str = "", *params: Any) -> Self:
        """These columns of what the statement finds."""
        return type(self)(f"SELECT {columns} FROM ({self.text}) AS found", self.params).then(more, *params)  # noqa: S608

    def plus(self, other: Self) -> Self:
        """The rows of this one, and then those of the other."""
        return type(self)(f"{self.text} UNION ALL {other.text}", (*self.params, *other.params))


class Compiled[How: Hashable]:
    """A query as `build(how, values)` makes it, which returns a `values_list` or an `Sql` around one.

    How it is built may depend on `how` and on which names `values` has, and not on the values.
    """

    def __init__(self, build: Callable[[How, Values], QuerySet[Any, Row] | Sql], *, prepared: bool = False) -> None:
        self._build = build
        self._prepared = prepared
        self.plans: dict[Hashable, _Plan | None] = {}  # by shape; None: asked without

    def rows(self, how: How, values: Values) -> list[Row]:
        """The rows, as the QuerySet would give them."""
        shape = (how, *values)
        try:
            plan = self.plans[shape]
        except KeyError:
            plan = self._learn(shape, how, values)
        if plan is None:
            return self._plan(how, values).rows(values)
        return plan.rows(values, prepared=self._prepared)

    def _plan(self, how: How, values: Values) -> "_Plan":
        try:
            return _plan(self._build(how, values))
        except EmptyResultSet:
            return _Plan("", (), ())

    def _learn(self, shape: Hashable, how: How, values: Values) -> "_Plan | None":
        plan = self._plan(how, {name: Later(name) for name in values})
        is_right = plan.says(self._plan(how, values), values)
        if not is_right:
            log.error("compiled_query_differs", shape=repr(shape), sql=plan.sql)
        if len(self.plans) >= MOST:
            self.plans = {}
        kept = self.plans[shape] = plan if is_right else None
        return kept


class Instances[M: Model]:
    """What makes instances of a model out of the values of its `columns`: the key and those of `only`, or all.

    Others are read when somebody asks for them.
    """

    def __init__(self, model: type[M], *, only: Collection[str] = ()) -> None:
        self.model = model
        fields = model._meta.concrete_fields
        chosen = (field for field in fields if not only or field.primary_key or field.name in only)
        self.columns = tuple(field.attname for field in chosen)

    def made(self, values: Sequence[Any]) -> M:
        return self.model.from_db(DEFAULT_DB_ALIAS, self.columns, values)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The SQL of one shape; empty where Django sees that no row can meet it."""

    sql: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, Any, Any], ...]  # of the columns that come from the driver in another form

    def bound(self, values: Values) -> list[Any]:
        return [values[param.name] if isinstance(param, Later) else param for param in self.params]

    def says(self, other: "_Plan", values: Values) -> bool:
        """Whether the other one, built with the values, is the same statement."""
        return _bare(other.sql) == _bare(self.sql) and [*other.params] == self.bound(values)

    def rows(self, values: Values, *, prepared: bool = False) -> list[Row]:
        if not self.sql:
            return []
        if prepared:
            found = run_prepared(self.sql, self.bound(values)).fetchall()
        else:
            with connection.cursor() as cursor:
                cursor.execute(self.sql, self.bound(values))
                found = cursor.fetchall()
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, row: Row) -> Row:
        values = [*row]
        for place, convert, expression in self.converters:
            values[place] = convert(values[place], expression, connection)
        return tuple(values)


def _plan(rows: QuerySet[Any, Row] | Sql) -> _Plan:
    if isinstance(rows, Sql):
        return _Plan(*rows, ())
    compiler = rows.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    found = compiler.get_converters([column for column, *_ in compiler.select])
    each = ((place, convert, column) for place, (converts, column) in found.items() for convert in converts)
    return _Plan(sql, tuple(params), tuple(each))


def _bare(sql: str) -> str:
    """Without the brackets that Django sets around an expression where it sets none around a value."""
    return sql.replace("(%s)", "%s")
