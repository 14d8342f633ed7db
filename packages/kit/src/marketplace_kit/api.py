"""The API object that a project makes one of."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic.alias_generators import to_camel

from .exceptions import DomainError
from .openapi import Document
from .parsing import StrictParser
from .paths import ByBeginning
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
        docs_decorator: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        read_only = partial(_read_only, docs_decorator)
        super().__init__(parser=StrictParser(), renderer=OrjsonRenderer(), docs_decorator=read_only, **options)
        self.also_refused = also_refused or {}
        self.examples = examples
        install_error_handlers(self)
        self.add_decorator(guard, mode="view")

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, app_name, namespace = super().urls
        return [ByBeginning(patterns)], app_name, namespace

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        # Made when somebody looks at it: who answers by himself never does.
        return cast(HttpResponse, SimpleLazyObject(partial(super().create_temporal_response, request)))

    def create_response(self, *args: Any, **options: Any) -> HttpResponse:
        made = super().create_response(*args, **options)
        return cast(HttpResponse, getattr(made, "_wrapped", made))  # what is lazy is slow to use

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return to_camel(operation.view_func.__name__)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        return Document(self, prefix)


def _read_only(decorate: Callable[[Any], Any] | None, view: Any) -> Any:
    """The view of the document or of its page, which Ninja would answer every method with."""
    return require_safe(decorate(view) if decorate else view)
