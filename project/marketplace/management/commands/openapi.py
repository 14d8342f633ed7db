import json
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print the OpenAPI document."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        from marketplace.api import api

        self.stdout.write(json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False, default=str))
