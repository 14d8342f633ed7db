"""What django-cachalot may keep, and under which name: see the settings that begin with CACHALOT."""

from typing import Any

from cachalot.utils import UncachableQuery, get_query_cache_key
from django.conf import settings
from psycopg.dbapi20 import Binary
from psycopg.types.json import Json, Jsonb

# psycopg 3 shortens how these are shown, so that two different values would share one name.
SHORTENED = (bytes, bytearray, memoryview, Binary, Json, Jsonb)


def query_key(compiler: Any) -> str:
    """The name of a query's rows in the cache. UncachableQuery for one that can't be named for certain.

    And, before anything else, for one of another table than those that are cached: to see by its SQL that nothing is
    to be had, as django-cachalot does, takes as long as building the SQL does.
    """
    model = compiler.query.model  # None where Django asks the database whether a row meets a constraint
    if model is None or model._meta.db_table not in settings.CACHALOT_ONLY_CACHABLE_TABLES:
        raise UncachableQuery
    _, parameters = compiler.as_sql()
    if any(isinstance(value, SHORTENED) for value in parameters):
        raise UncachableQuery
    return str(get_query_cache_key(compiler))
