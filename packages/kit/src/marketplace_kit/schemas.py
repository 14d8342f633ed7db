"""What goes in and out: camelCase both ways, exact money, UTC times, nothing unknown, text that can be stored."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Self, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasGenerator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from . import money

_DIGITS = re.compile(r"-?[0-9]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _storable(value: Any) -> Any:
    """Refuse text that PostgreSQL can't hold, before anything else makes a harmless one of it."""
    if isinstance(value, str):
        if "\0" in value:
            raise PydanticCustomError("nul_character", "Text must not contain NUL characters")
        if _SURROGATE.search(value):  # JSON's escapes can write one alone, UTF-8 can't
            raise PydanticCustomError("lone_surrogate", "Text must not contain lone surrogates")
    return value


class Wrong(NamedTuple):
    """What a rule over several fields finds: where, the code, the sentence."""

    place: tuple[str | int, ...]
    code: str
    detail: str


class _Guarded(BaseModel):
    @field_validator("*", mode="before")
    @classmethod
    def _only_storable(cls, value: Any) -> Any:
        return _storable(value)

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterable[Wrong]:
        """What is wrong beyond single fields. `data` is the raw object: look at types before values."""
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _check_rules(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # A wrap validator, so that these errors stand beside those of the fields: an `after` one is skipped while
        # any field is wrong.
        wrong = [*cls.rules(data)] if isinstance(data, dict) else []
        try:
            result = handler(data)
        except ValidationError as error:
            raise (_merged(cls.__name__, error, wrong) if wrong else error) from None
        if wrong:
            raise _merged(cls.__name__, None, wrong)
        return result


class In(_Guarded):
    """A request body: camelCase names only, and a field that it lacks is an error."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    def given(self) -> dict[str, Any]:
        """The fields that the client sent, by their Python names: what a PATCH changes."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def partial[M: In](cls: type[M]) -> type[M]:
    """Make no field of a body required: a PATCH, whose missing fields stay as they are (see `given`).

    Null is no value of a field whose type does not have it.
    """
    for name, field in cls.model_fields.items():
        cls.model_fields[name] = copy(field)
        cls.model_fields[name].default, cls.model_fields[name].default_factory = None, None
    cls.model_rebuild(force=True)
    return cls


def _merged(title: str, error: ValidationError | None, wrong: list[Wrong]) -> ValidationError:
    lines = [(w.place, w.code, w.detail, None) for w in wrong]
    lines += [(e["loc"], e["type"], e["msg"], e["input"]) for e in (error.errors() if error else ())]
    return ValidationError.from_exception_data(
        title,
        [
            # The message is text, not a template of PydanticCustomError's.
            InitErrorDetails(type=PydanticCustomError(code, "{said}", {"said": detail}), loc=place, input=given)
            for place, code, detail, given in lines
        ],
    )


class Params(_Guarded):
    """Query parameters: camelCase names; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    @field_validator("*", mode="before")
    @classmethod
    def _only_digits(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[str(info.field_name)].annotation
        # pydantic would also take `1_0` and `1.0` for integers.
        if isinstance(value, str) and int in (kind, *get_args(kind)) and not _DIGITS.fullmatch(value):
            raise PydanticKnownError("int_parsing")
        return value


class Out(BaseModel):
    """An answer, read from a row or a dictionary; its names become camelCase on the way out only.

    All its fields are always there, those with a default too, and the document says so.
    """

    model_config = ConfigDict(
        from_attributes=True,
        alias_generator=AliasGenerator(serialization_alias=to_camel),
        json_schema_serialization_defaults_required=True,
    )


# --- errors ---


class ProblemError(Out):
    """One invalid value."""

    pointer: str = Field(description="A JSON Pointer into the body, or `query/…`, `path/…`, `header/…`.")
    code: str = Field(description="What is wrong, as a stable code.")
    detail: str = Field(description="What is wrong, as a sentence.")


class Problem(Out):
    """An error (RFC 9457)."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = Field(description="A URI that identifies the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time.")
    code: str = Field(description="The kind of problem as a stable code, for programs to check.")
    request_id: str | None = Field(description="Identifies this request in our logs.")
    errors: list[ProblemError] | None = Field(None, description="With a 422: every invalid value.")


# --- ids ---

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _plain(value: Any) -> Any:
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise PydanticKnownError("uuid_parsing", {"error": "which is 36 characters"})
    return value


# As clients write it: pydantic would also take `urn:uuid:…`, braces, and one without hyphens.
Id = Annotated[UUID, BeforeValidator(_plain)]


# --- numbers and flags: JSON's own kinds, not what Python would make of them ---


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _whole(value: Any) -> Any:
    # 60.0 is an integer of JSON Schema's, and comes as a Decimal. One of a million digits stays what it is.
    if isinstance(value, Decimal) and value.adjusted() < 19 and value == value.to_integral_value():
        return int(value)
    return value


Int = Annotated[int, BeforeValidator(_whole), Field(strict=True)]
Bool = Annotated[bool, Field(strict=True)]
Amount = Annotated[
    Decimal,
    BeforeValidator(_not_bool),
    Field(ge=0, le=money.MAX_AMOUNT),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": float(money.MAX_AMOUNT), "examples": [50.0]}),
]
NUMBER = WithJsonSchema({"type": "number"})
AmountOut = Annotated[Decimal, WithJsonSchema({"type": "number", "examples": [50.0]})]


def _known_currency(code: str) -> str:
    if not money.is_currency(code):
        raise PydanticCustomError("unknown_currency", "Input should be an ISO 4217 currency code")
    return code


Currency = Annotated[
    str,
    AfterValidator(_known_currency),
    Field(json_schema_extra={"pattern": "^[A-Z]{3}$", "examples": ["USD"]}, description="ISO 4217 code"),
]


# --- text ---

_LINE_BREAKS = re.compile(r"\r\n?|\u2028|\u2029")


def clean_text(value: str) -> str:
    """`value` in NFC, trimmed, with plain line breaks and no other control characters."""
    text = unicodedata.normalize("NFC", _LINE_BREAKS.sub("\n", value))
    # Bodies with lone surrogates (Cs) were refused before; headers and the names of files may have them.
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()


def clean_line(value: str) -> str:
    """`value` cleaned, on one line."""
    return " ".join(clean_text(value).split())


Line100 = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=100)]
Line200 = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=200)]
Text500 = Annotated[str, AfterValidator(clean_text), Field(max_length=500)]
Text2000 = Annotated[str, AfterValidator(clean_text), Field(max_length=2000)]
Text10000 = Annotated[str, AfterValidator(clean_text), Field(min_length=1, max_length=10_000)]


# --- time ---

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d")


def rfc3339(value: Any) -> Any:
    """Refuse what is not written as a date-time."""
    # pydantic would also take numbers, and digits in a string, for seconds since 1970.
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise PydanticCustomError("datetime_format", "Input should be an RFC 3339 date-time with an offset")
    return value


def _in_utc(value: datetime) -> datetime:
    if not 1900 <= value.year <= 9000:
        raise PydanticCustomError("datetime_range", "The year should be between 1900 and 9000")
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, BeforeValidator(rfc3339), AfterValidator(_in_utc)]


# --- rules over more than one field ---


def decimals_rule(data: dict[str, Any], amount: str, currency: str) -> Iterator[Wrong]:
    """An amount may not have more decimals than the currency beside it. Names as the client writes them."""
    value, code = data.get(amount), data.get(currency)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not isinstance(code, str):
        return
    # Beyond that the fields' own rules say what is wrong.
    if money.is_currency(code) and 0 <= value <= money.MAX_AMOUNT and not money.is_exact(Decimal(value), code):
        yield Wrong((amount,), "too_many_decimals", f"{code} allows at most {money.EXPONENTS[code]} decimals")
