"""A package's part of a user's data export, as JSON values in camelCase."""

from typing import Any

from django.db.models import QuerySet
from pydantic.alias_generators import to_camel


def exported(rows: QuerySet[Any], *fields: str) -> list[dict[str, Any]]:
    """These fields of the rows, in the rows' order."""
    return [{to_camel(name): value for name, value in row.items()} for row in rows.values(*fields)]
