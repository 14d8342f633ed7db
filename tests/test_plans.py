"""What is prepared is planned once for each connection."""

import pytest
from django.db import connection

from marketplace_accounts.testing import make_provider
from marketplace_catalog.testing import make_service


@pytest.mark.django_db
def test_one_service_is_planned_once(client, settings):
    settings.KIT = settings.KIT | {"PUBLIC_CACHE_SECONDS": 0}
    services = [make_service(make_provider()) for _ in range(3)]

    for service in services * 5:
        assert client.get(f"/api/v1/services/{service.pk}", headers={"host": "127.0.0.1"}).status_code == 200

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements"
            " WHERE statement LIKE 'SELECT \"marketplace_catalog_service\".%ANY%'"
        )
        generic, custom = cursor.fetchone()
    assert generic > 5
    assert custom == 0
