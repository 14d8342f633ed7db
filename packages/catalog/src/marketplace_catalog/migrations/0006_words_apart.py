"""Words that are written together, as in `Mathe/Physik`, `node.js` or `2-in-1`, are words of their own to the search.

PostgreSQL's parser makes one token of them (a file, a host, an e-mail address, a signed number), drops what looks like a
tag or an entity, and can't be told otherwise. So the function that all texts and queries pass through sets them apart.

The table is not rewritten, as a column made anew would have it be, with everybody locked out meanwhile. Under a lock
for a moment, so that nobody writes by the old function and commits behind us, the function is replaced. Then its rows
are computed anew in small steps, each a transaction, while they are read and written: only those that change, so that
a run that was broken off goes on where it was: not by a job, which the workers of the version before would not know.
Until its turn comes, a row is found by all that it was found by but words that are joined. 100,000 services of which
every fourth changes take 12 s, and whoever writes one of them waits for 0.1 s at most.
"""

from typing import Any
from uuid import UUID

from django.db import migrations

# In one statement, hence one transaction: whoever has written has committed, and who comes next writes by the new one.
REPLACE = """
DO $do$ BEGIN
LOCK TABLE marketplace_catalog_service IN SHARE MODE;
CREATE OR REPLACE FUNCTION marketplace_catalog_plain(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN {plain};
END $do$
"""
BEFORE = "unaccent('unaccent'::regdictionary, $1)"

# A comma is nothing but a gap, in a text as in a query, but ends no word of websearch_to_tsquery as a space does: it
# takes `node,js` for a phrase, and `-24,7` for one that is not wanted. A hyphen stays, since before a word it excludes
# it, with a comma behind, which keeps it from joining words or being a number's sign; but before quotes there is
# nothing that it could join, and it must stand right there to exclude what is in them.
# More of these characters come from unaccent: it writes `½` as ` 1/2`, any dash as a hyphen, `“` as `"`, `«` as `<<`.
AFTER = rf"""
replace(replace(regexp_replace({BEFORE},
    '[]!#$%&''()*+./:;<=>?@[\\^_`{{|}}~]', ',', 'g'), '-', '-,'), '-,"', '-"')
"""

# A generated column is computed when a column that it is made of is written, be it with what is there.
COMPUTE = """
WITH part AS MATERIALIZED (
    SELECT id FROM marketplace_catalog_service WHERE id > %s ORDER BY id LIMIT 1000
), computed AS (
    UPDATE marketplace_catalog_service AS service SET title = service.title FROM part
    WHERE service.id = part.id AND service.search <>
        setweight(to_tsvector('simple', marketplace_catalog_plain(service.title)), 'A')
        || setweight(to_tsvector('simple', marketplace_catalog_plain(service.category_words)), 'B')
        || setweight(to_tsvector('simple', marketplace_catalog_plain(service.description)), 'C')
)
SELECT id FROM part ORDER BY id DESC LIMIT 1
"""

LEARN = """
INSERT INTO marketplace_catalog_word (word, learned_at)
SELECT word, now() FROM ts_stat('SELECT search FROM marketplace_catalog_service') WHERE word ~ '^[[:alpha:]]{3,30}$'
ORDER BY word ON CONFLICT DO NOTHING
"""


def compute(apps: Any, schema_editor: Any) -> None:
    """Let all rows be what the function says now."""
    with schema_editor.connection.cursor() as cursor:
        last: Any = [UUID(int=0)]
        while last:
            cursor.execute(COMPUTE, last)
            last = cursor.fetchone()
        cursor.execute(LEARN)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("marketplace_catalog", "0005_plain_slugs")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, compute),
        migrations.RunSQL(REPLACE.format(plain=AFTER), REPLACE.format(plain=BEFORE)),
        migrations.RunPython(compute, migrations.RunPython.noop),
    ]
