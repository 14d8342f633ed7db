"""What PostgreSQL has: the columns, constraints, indexes and triggers of our tables, however they were made."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.apps import AppConfig, apps
from django.db import connection, models

type Model = type[models.Model]


class Column(NamedTuple):
    """A column of a table."""

    table: str
    name: str
    type: str
    may_be_null: bool
    generated: bool
    primary: bool
    foreign: bool
    unique: bool


class Rule(NamedTuple):
    """A constraint, an index or a trigger of a table."""

    table: str
    kind: str
    name: str
    definition: str


COLUMNS = """
SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attgenerated <> '',
    EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
    EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = t.oid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)),
    EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisunique AND NOT i.indisprimary
        AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
    )
FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY (%s)
ORDER BY t.relname, a.attnum
"""
# Without NOT NULL, which is told with the column, and without what is behind a constraint trigger: that is a trigger.
CONSTRAINTS = """
SELECT t.relname, c.contype, c.conname, pg_get_constraintdef(c.oid, true)
FROM pg_class AS t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype IN ('p', 'f', 'u', 'c', 'x')
WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY (%s)
"""
# Without those that a constraint made.
INDEXES = """
SELECT t.relname, CASE WHEN i.indisunique THEN 'u' ELSE 'i' END, n.relname, pg_get_indexdef(n.oid, 0, true)
FROM pg_class AS t JOIN pg_index AS i ON i.indrelid = t.oid JOIN pg_class AS n ON n.oid = i.indexrelid
WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY (%s)
AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = n.oid AND c.contype IN ('p', 'u', 'x'))
"""
TRIGGERS = """
SELECT t.relname, 't', g.tgname, pg_get_triggerdef(g.oid, true)
FROM pg_class AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY (%s)
"""
FUNCTIONS = """
SELECT '', 'function', proname, '' FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, 'marketplace')
"""
EXTENSIONS = "SELECT '', 'extension', extname, '' FROM pg_extension WHERE extname <> 'plpgsql'"

KINDS = {
    "p": "primary key",
    "f": "foreign key",
    "u": "unique",
    "c": "check",
    "x": "exclusion",
    "i": "index",
    "t": "trigger",
}
ORDER = [*KINDS.values(), "not negative", "index for LIKE"]
TYPES = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
# What Django and PostgreSQL call by themselves what we gave no name.
MADE_UP = re.compile(r"_[0-9a-f]{8}(_uniq)?$|_key$")
# How a definition is told, without casts and without what the rest of its line says already.
SHORTER = (
    (re.compile(r"^CREATE .*? USING (?:btree )?|^CREATE (?:CONSTRAINT )?TRIGGER \w+ | ON \S+(?= )"), ""),
    (re.compile(r"::(?:text|character varying|numeric)(?:\[\])?"), ""),
    (re.compile(r"= ANY \(ARRAY\[(.*?)\]\)"), r"IN (\1)"),
    (re.compile(r"^(?:CHECK|UNIQUE) \((.*)\)$"), r"\1"),
    (re.compile(r"^\(([^()]*)\)$"), r"\1"),
)


def our_apps() -> list[AppConfig]:
    """Those of ours that have tables, in the order in which they are installed."""
    return [app for app in apps.get_app_configs() if app.name.startswith("marketplace") and [*app.get_models()]]


def tables_of(app: AppConfig) -> list[Model]:
    """Its models, and the tables that Django makes for many-to-many fields."""
    return list(app.get_models(include_auto_created=True))


def columns(tables: Iterable[str]) -> list[Column]:
    return [Column(table, name, _type(kind), *flags) for table, name, kind, *flags in _asked(COLUMNS, [*tables])]


def rules(tables: Iterable[str]) -> list[Rule]:
    """All that they must keep to, and all that they are found by, in an order that stays."""
    names = [*tables]
    found = [_rule(*row) for query in (CONSTRAINTS, INDEXES, TRIGGERS) for row in _asked(query, names)]
    return sorted(found, key=lambda rule: (rule.table, ORDER.index(rule.kind), rule.name))


def besides() -> list[Rule]:
    """Functions of ours, and extensions."""
    return sorted(Rule(*row) for query in (FUNCTIONS, EXTENSIONS) for row in _asked(query))


def _asked(query: str, *params: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        yield from cursor.fetchall()


def _type(told: str) -> str:
    for long, short in TYPES.items():
        told = told.replace(long, short)
    return told


def _rule(table: str, code: str, name: str, told: str) -> Rule:
    kind, definition = KINDS[code], _readable(told)
    if name.endswith("_like"):
        kind, definition = "index for LIKE", definition.removesuffix(" varchar_pattern_ops")
        name = f"{kind} ({definition})"
    elif code == "c" and name.startswith(table) and name.endswith("_check") and definition.endswith(">= 0"):
        kind = "not negative"
    if MADE_UP.search(name) and code in "ui":
        name = f"{kind} ({', '.join(re.findall(r'\w+', definition.rpartition('(')[2]))})"
    return Rule(table, kind, name, definition)


def _readable(told: str) -> str:
    for pattern, shown in SHORTER:
        told = pattern.sub(shown, told)
    return told
