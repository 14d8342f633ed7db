"""What the list of services is searched and ordered by.

The database's owner may create both extensions: they are trusted ones. The function is written in SQL's standard form,
which PostgreSQL parses when it is made: it means the same whatever the search_path is, in a restored dump too.
"""

from decimal import Decimal

import django.contrib.postgres.indexes
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.math
from django.contrib.postgres.operations import TrigramExtension, UnaccentExtension
from django.db import migrations, models

LISTED = models.Q(("deleted_at", None), ("is_active", True))

# PostgreSQL calls `unaccent` stable, since its rules are a file that could change: then run REINDEX, or better,
# `UPDATE … SET title = title`. Only what is immutable can be in a generated column.
PLAIN = """
CREATE FUNCTION marketplace_catalog_plain(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN unaccent('unaccent'::regdictionary, $1)
"""

WORDS = """
WITH RECURSIVE named (id, words, parent_id) AS (
    SELECT id, name::text, parent_id FROM marketplace_catalog_category
    UNION
    SELECT named.id, named.words || ' ' || parent.name, parent.parent_id
    FROM named JOIN marketplace_catalog_category AS parent ON parent.id = named.parent_id
)
UPDATE marketplace_catalog_service AS service SET category_words = named.words
FROM named WHERE named.id = service.category_id AND named.parent_id IS NULL
"""

SEARCH = """
ALTER TABLE marketplace_catalog_service ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', marketplace_catalog_plain(title)), 'A')
    || setweight(to_tsvector('simple', marketplace_catalog_plain(category_words)), 'B')
    || setweight(to_tsvector('simple', marketplace_catalog_plain(description)), 'C')
) STORED
"""

LEARN = """
INSERT INTO marketplace_catalog_word (word, learned_at)
SELECT word, now() FROM ts_stat('SELECT search FROM marketplace_catalog_service') WHERE word ~ '^[[:alpha:]]{3,30}$'
"""


def listed(name: str, *fields: str) -> migrations.AddIndex:
    return migrations.AddIndex(
        model_name="service",
        index=models.Index(condition=LISTED, fields=[*fields], name=f"catalog_service_{name}"),
    )


class Migration(migrations.Migration):
    dependencies = [("marketplace_catalog", "0002_categories")]

    operations = [
        UnaccentExtension(),
        TrigramExtension(),
        migrations.RunSQL(PLAIN, "DROP FUNCTION marketplace_catalog_plain(text)"),
        migrations.AddField(
            model_name="service",
            name="category_words",
            field=models.TextField(db_default="", default="", editable=False),
        ),
        migrations.RunSQL(WORDS, migrations.RunSQL.noop),
        migrations.RunSQL(SEARCH, "ALTER TABLE marketplace_catalog_service DROP COLUMN search"),
        migrations.RunSQL(
            "CREATE INDEX catalog_service_search ON marketplace_catalog_service USING gin (search)"
            " WHERE is_active AND deleted_at IS NULL",
            "DROP INDEX catalog_service_search",
        ),
        migrations.CreateModel(
            name="Word",
            fields=[
                ("word", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("learned_at", models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name="word",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass("word", "gin_trgm_ops"), name="catalog_word_alike"
            ),
        ),
        migrations.RunSQL(LEARN, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="service",
            name="rating_average",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.comparison.Coalesce(
                    django.db.models.functions.math.Round(
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.comparison.Cast("rating_sum", models.DecimalField()),
                            "/",
                            django.db.models.functions.comparison.NullIf("rating_count", 0),
                        ),
                        precision=2,
                    ),
                    models.Value(Decimal("0")),
                    output_field=models.DecimalField(),
                ),
                output_field=models.DecimalField(),
            ),
        ),
        migrations.RemoveIndex(model_name="service", name="catalog_service_newest"),
        migrations.RemoveIndex(model_name="service", name="catalog_service_cheapest"),
        listed("newest", "-created_at", "-id", "category", "currency", "price", "rating_average"),
        listed("cheapest", "price", "id", "category", "currency", "rating_average"),
        listed("in_currency", "currency", "price", "id", "category", "rating_average"),
        listed("best_rated", "-rating_average", "-rating_count", "-id", "category", "currency", "price"),
    ]
