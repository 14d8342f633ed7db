"""What a text asks for: the words of a search, as asked and with typing errors forgiven."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVectorField
from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    Expression,
    ExpressionWrapper,
    FloatField,
    Func,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Col
from django.db.models.functions import Cast

from .models import Service

# PostgreSQL's `simple` knows no language: no word is dropped as too common, none is cut to a stem. The catalog is in
# many languages, often within one text, and rules for one of them lose words of the others.
CONFIG = "simple"
MOST_TYPED, MOST_ALIKE = 10, 8  # words of a text that may be misspelt, and what one of them may stand for

type Texts = dict[str, str]  # what is searched for, by how it is meant: the names in _MEANINGS


class SearchColumn(Expression):
    """The generated column of the table that the model leaves out."""

    output_field = SearchVectorField()

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        field = SearchVectorField()
        field.set_attributes_from_name("search")
        field.model = Service
        return Col(query.get_initial_alias(), field)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: a service must match all of `queries`, and is ranked by the first."""

    queries: Sequence[SearchQuery]

    @classmethod
    def of(cls, texts: Mapping[str, Any]) -> Self:
        """What these texts mean, or what stands for them; other names among them mean nothing."""
        return cls([query(texts[name]) for name, query in _MEANINGS.items() if name in texts])

    def condition(self) -> Q:
        return Q(*(Q(search=query) for query in self.queries))

    def found_in(self, rows: QuerySet[Service]) -> QuerySet[Service]:
        """Those of `rows` that match."""
        return rows.alias(search=SearchColumn()).filter(self.condition())

    def told_in(self, rows: QuerySet[Service]) -> QuerySet[Any]:
        """All of `rows`, with `hit`: whether it matches."""
        return rows.alias(search=SearchColumn()).annotate(hit=ExpressionWrapper(self.condition(), BooleanField()))

    def ranked(self, rows: QuerySet[Service]) -> QuerySet[Any]:
        """With `relevance`, the higher the better: by where the words stand, how often and how close together."""
        return rows.annotate(relevance=self._rank())

    def told_in_ranks(self, rows: QuerySet[Service]) -> QuerySet[Any]:
        """All of `rows`, with `relevance`: None where it does not match."""
        told = Case(When(self.condition(), then=self._rank()))
        return rows.alias(search=SearchColumn()).annotate(relevance=told)

    def _rank(self) -> Cast:
        # As a double, which comes back from a cursor exactly as it was; ts_rank's own type is half as long.
        return Cast(SearchRank(SearchColumn(), self.queries[0]), FloatField())


def as_asked(text: str) -> Texts:
    """The words of `text` in any order, without what has a `-` before it.

    As it stands there, whatever joins it, goes what is in quotes or written together, as in `node.js` or `24/7`.
    """
    return {"exact": text}


def forgiving(text: str, known_at: datetime) -> Texts | None:
    """The same with its typing errors forgiven: a word also means those that begin with it or are nearly it.

    Words are compared with those that were known at `known_at`, so that the pages of one list mean the same. What is
    quoted or excluded is taken as it stands. None where no word is left, or more than any typing error explains.
    """
    loose, exact = _split(text)
    meanings = _alike(loose, known_at)
    if not 0 < len(meanings) <= MOST_TYPED:
        return None
    wanted = {"loose": " & ".join(f"({' | '.join(map(_quoted, words))})" for words in meanings)}
    return wanted | as_asked(exact) if re.search(r"\w", exact) else wanted


def _loose(query: Any) -> SearchQuery:
    return SearchQuery(query, config=CONFIG, search_type="raw")


def _exact(text: Any) -> SearchQuery:
    typed = text if isinstance(text, Expression) else Value(text)
    plain = Func(typed, function="marketplace_catalog_plain", output_field=TextField())
    return SearchQuery(plain, config=CONFIG, search_type="websearch")


# PostgreSQL's own language of queries, and what people type. Where there are both, the first ranks.
_MEANINGS = {"loose": _loose, "exact": _exact}

# What has a meaning of its own in a search: "a phrase", -"a phrase", -word, and the word `or`.
_SPECIAL = re.compile(r'-?"[^"]*"?|(?<!\S)-\S+|(?<!\S)or(?!\S)', re.IGNORECASE)


def _split(text: str) -> tuple[str, str]:
    """The words that may be misspelt, and the rest."""
    special = [found for found in _SPECIAL.findall(text) if found.lower() != "or"]
    return _SPECIAL.sub(" ", text), " ".join(special)


# Known words are near where they share trigrams, have two letters swapped, which in a short word leaves no trigram in
# common, or go on where the typed one ends. (`word:*` in the text's index takes half a second for a frequent word.)
# How many trigrams `%%` wants is set row by row in the subquery that the words come out of, so before it looks, and
# holds to the end of the statement or its transaction: one wrong letter of three leaves a seventh in common.
_ALIKE = """
SELECT typed.word, near.word
FROM (
    SELECT word, set_config('pg_trgm.similarity_threshold', CASE
        WHEN length(word) < 4 THEN '0.14' WHEN length(word) < 9 THEN '0.2' ELSE '0.3' END, true)
    FROM unnest((tsvector_to_array(to_tsvector('simple', marketplace_catalog_plain(%(text)s))))[:%(most)s]) AS word
) AS typed
LEFT JOIN LATERAL (
    (SELECT known.word FROM marketplace_catalog_word AS known
    WHERE known.word %% typed.word AND length(typed.word) > 2 AND known.learned_at <= %(known_at)s
    ORDER BY known.word <-> typed.word, known.word LIMIT 60)
    UNION ALL
    SELECT known.word FROM generate_series(1, length(typed.word) - 1) AS place
    JOIN marketplace_catalog_word AS known
    ON known.word = overlay(typed.word PLACING reverse(substr(typed.word, place, 2)) FROM place FOR 2)
    WHERE known.learned_at <= %(known_at)s
    UNION ALL
    (SELECT known.word FROM marketplace_catalog_word AS known
    WHERE known.word ~>=~ typed.word AND known.word ~<~ (typed.word || chr(1114111))
    AND known.learned_at <= %(known_at)s ORDER BY length(known.word), known.word LIMIT 10)
) AS near ON typed.word ~ '^[[:alpha:]]{2,30}$'
"""


def _alike(text: str, known_at: datetime) -> list[list[str]]:
    """For each word of the text itself and what else it may mean, the likeliest first."""
    near = defaultdict[str, set[str]](set)
    with connection.cursor() as cursor:
        cursor.execute(_ALIKE, {"text": text, "most": MOST_TYPED + 1, "known_at": known_at})
        for typed, known in cursor.fetchall():
            near[typed] |= {known} if known is not None and _may_mean(typed, known) else set()
    return [
        [typed, *sorted(words - {typed}, key=lambda word: (distance(typed, word), word))[:MOST_ALIKE]]
        for typed, words in near.items()
    ]


def _may_mean(typed: str, known: str) -> bool:
    return known.startswith(typed) or distance(typed, known) <= forgiven_edits(typed)


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def forgiven_edits(word: str) -> int:
    """How many typing errors a word of this length may have."""
    return 0 if len(word) < 3 else 1 if len(word) < 6 else 2


def distance(one: str, other: str) -> int:
    """How many typing errors lie between two words: a letter too many, too few, wrong, or two swapped."""
    older: list[int] = []
    old = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, wanted in enumerate(other):
            edits = min(old[j] + (letter != wanted), old[j + 1] + 1, row[j] + 1)
            if i and j and (letter, one[i - 1]) == (other[j - 1], wanted):
                edits = min(edits, older[j - 1] + 1)
            row.append(edits)
        older, old = old, row
    return old[-1]
