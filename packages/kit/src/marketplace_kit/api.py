"""The API object that a project makes one of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic.alias_generators import to_camel

from .exceptions import DomainError
from .openapi import Document
from .parsing import StrictParser
from .paths import grouped
from .problems import install_error_handlers
from .renderer import OrjsonRenderer
from .routing import guard


class Api(NinjaAPI):
    """NinjaAPI with the manners of the contract: strict JSON, problem documents, a complete OpenAPI document.

    `also_refused`, by operation id: refusals that the receivers of a project raise, which a package cannot know.
    `examples`: a JSON file with examples by operation id, for the document.
    """

    def __init__(
        self,
        *,
        also_refused: Mapping[str, Sequence[type[DomainError]]] | None = None,
        examples: Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(parser=StrictParser(), renderer=OrjsonRenderer(), **options)
        self.also_refused = also_refused or {}
        self.examples = examples
        install_error_handlers(self)
        self.add_decorator(guard, mode="view")

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, app_name, namespace = super().urls
        return [*grouped(patterns)], app_name, namespace

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return to_camel(operation.view_func.__name__)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        return Document(self, prefix)
