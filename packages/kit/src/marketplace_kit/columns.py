"""Answers built from the columns of rows, without a model or a schema in between.

The schema says what is answered all the same. Each of its fields is the column of its name; one that is a schema itself
is made of the columns that lie behind the relation of its name. They go out as they come, so this is for a schema that
changes nothing; a test should hold that the bytes are those of the schema.

    BOOKING = Columns(schemas.Booking)
    PAGES = Pages(Booking, _rows, BOOKING.names)
    answered(BOOKING.paged(PAGES.page(how, values, params, order)))
"""

from typing import Any

from .compiled import Row
from .pagination import Slice
from .schemas import Out

type Places = dict[str, int | Places]  # of the values in a row, by the names in JSON


class Columns:
    """The columns that a schema needs: their `names`, and how their values are converted."""

    def __init__(self, schema: type[Out]) -> None:
        self.names: list[str] = []
        self._places = self._placed(schema, "")

    def _placed(self, schema: type[Out], path: str) -> Places:
        places: Places = {}
        for name, field in schema.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Out):
                place: int | Places = self._placed(kind, f"{path}{name}__")
            else:
                place = len(self.names)
                self.names.append(f"{path}{name}")
            places[field.serialization_alias or name] = place
        return places

    def filled(self, row: Row) -> dict[str, Any]:
        """What the schema answers for a row that holds these values."""
        return _filled(self._places, row)

    def paged(self, page: Slice[Row]) -> dict[str, Any]:
        """What `Page` of the schema answers."""
        return {"items": [self.filled(row) for row in page.items], "nextCursor": page.next_cursor}


def _filled(places: Places, row: Row) -> dict[str, Any]:
    return {name: row[place] if isinstance(place, int) else _filled(place, row) for name, place in places.items()}
