"""The index of the search knows the day on which a service was offered, so that the newest matches are found alone.

Made beside the old one, which serves until it is there, while services are written. The database's owner may create
the extension: it is a trusted one.
"""

from django.contrib.postgres.operations import BtreeGinExtension
from django.db import migrations

# Of all services: PostgreSQL never combines two indexes that leave the same rows out, as those of the orders do.
MAKE = """
CREATE INDEX CONCURRENTLY catalog_service_search_since ON marketplace_catalog_service
USING gin (search, ((created_at AT TIME ZONE 'UTC')::date))
"""
MAKE_OLD = """
CREATE INDEX CONCURRENTLY catalog_service_search ON marketplace_catalog_service USING gin (search)
WHERE is_active AND deleted_at IS NULL
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("marketplace_catalog", "0003_search")]

    operations = [
        BtreeGinExtension(),
        # What a run that was broken off has left is not used, and in the way.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS catalog_service_search_since", migrations.RunSQL.noop),
        migrations.RunSQL(MAKE, "DROP INDEX CONCURRENTLY catalog_service_search_since"),
        migrations.RunSQL("DROP INDEX CONCURRENTLY catalog_service_search", MAKE_OLD),
    ]
