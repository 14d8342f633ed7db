"""Typed settings of a package, read lazily from one dictionary of Django's settings."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, dataclass_transform, get_args, get_origin, get_type_hints

from django.conf import settings as django_settings
from django.core import checks
from django.utils.module_loading import import_string
from pydantic import TypeAdapter, ValidationError


@dataclass_transform()
class PackageSettings:
    """Subclass it in `conf.py`: one annotated attribute with a default per knob, and the dictionary's name.

    Every access looks at Django's settings anew, so that `override_settings` works in a host's tests:

        class Settings(PackageSettings, name="BILLING"):
            FEE_PERCENT: Decimal = Decimal(10)  # what the platform keeps

        conf = Settings()
    """

    _name: ClassVar[str]

    def __init_subclass__(cls, *, name: str) -> None:
        cls._name = name

    def __getattribute__(self, key: str) -> Any:
        if not key.isupper():
            return object.__getattribute__(self, key)
        default = getattr(type(self), key)  # from the class: a function there must not become a method
        return getattr(django_settings, type(self)._name, {}).get(key, default)

    def call(self, key: str, *args: Any) -> Any:
        """Call the function that the setting `key` names by its dotted path (or is)."""
        target = getattr(self, key)
        return (import_string(target) if isinstance(target, str) else target)(*args)

    def problems(self) -> list[checks.CheckMessage]:
        """What is wrong with the host's dictionary: unknown names, values of the wrong type."""
        hints = {k: v for k, v in get_type_hints(type(self), include_extras=True).items() if k.isupper()}
        given = getattr(django_settings, type(self)._name, {})
        found: list[checks.CheckMessage] = [
            checks.Error(f"{self._name}[{key!r}] is not a setting.", id="marketplace_kit.E001")
            for key in sorted(given.keys() - hints.keys())
        ]
        return found + [
            checks.Error(f"{self._name}[{key!r}]{fault}.", id="marketplace_kit.E002")
            for key in sorted(given.keys() & hints.keys())
            for fault in _faults(given[key], hints[key])
        ]


def _faults(value: Any, hint: Any) -> Iterator[str]:
    """What is wrong with a value, each fault prefixed with its place."""
    may_be_path = any(get_origin(kind) is Callable for kind in get_args(hint))
    try:
        TypeAdapter(hint).validate_python(value, strict=True)
        if may_be_path and isinstance(value, str):
            import_string(value)
    except ValidationError as error:
        if may_be_path:
            yield ": It is neither a function nor the dotted path of one"
        else:
            for one in error.errors():
                where = "".join(f"[{key!r}]" for key in one["loc"])
                yield f"{where}: {one['msg'].removeprefix('Value error, ').rstrip('.')}"
    except ImportError as error:
        yield f": {str(error).rstrip('.')}"
