"""Diagrams of tables, as Mermaid draws them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from .reading import Column, Model


def overview(models: Sequence[Model]) -> str:
    """All of these as boxes, and what points to what among them."""
    return _diagram(sorted({line for model in models for line in _lines(model, among=models)}))


def of_models(models: Iterable[Model], columns: Iterable[Column]) -> str:
    """These with their columns, and what they point to."""
    known = {table: [*theirs] for table, theirs in groupby(columns, lambda column: column.table)}
    lines: list[str] = []
    for model in models:
        lines += _box(model, known)
        lines += _lines(model)
    return _diagram(lines)


def _box(model: Model, columns: Mapping[str, Sequence[Column]]) -> list[str]:
    return [f"{_name(model)} {{", *(f"    {_attribute(one)}" for one in columns[model._meta.db_table]), "}"]


def _attribute(column: Column) -> str:
    kept = {"PK": column.primary, "FK": column.foreign, "UK": column.unique}
    keys = ", ".join(key for key, has in kept.items() if has)
    said = {"null": column.may_be_null, "generated": column.generated}
    comment = ", ".join(word for word, holds in said.items() if holds)
    return " ".join(filter(None, (column.type, column.name, keys, f'"{comment}"' if comment else "")))


def _lines(model: Model, among: Sequence[Model] | None = None) -> Iterator[str]:
    for field in model._meta.local_fields:
        to = field.related_model
        if isinstance(to, type) and (among is None or to in among):
            yield f"{_name(to)} {_ends(field)} {_name(model)} : {field.name}"


def _ends(field: Any) -> str:
    """How many of the one there are for the other."""
    return f"{'|o' if field.null else '||'}--{'o|' if field.one_to_one else 'o{'}"


def _name(model: Model) -> str:
    return model.__name__


def _diagram(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", "erDiagram", *(f"    {line}" for line in lines), "```"])
