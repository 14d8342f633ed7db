"""What goes in and out of accounts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from marketplace_kit.schemas import In, Line100, Out, Text500, Text2000, Wrong, clean_line, partial

from .actions import password_faults
from .lifecycle import MAX_PASSWORD, Role, ShownRole
from .models import email_key

# --- what the bodies are made of ---

MAX_EMAIL = 254
LONGEST_SECRET = 200


def _email(value: str) -> str:
    address = clean_line(value)
    try:
        validate_email(address)
    except ValidationError:
        raise PydanticCustomError("invalid_email", "Input should be an e-mail address") from None
    if len(email_key(address)) > MAX_EMAIL:  # a single letter can stand for many
        raise PydanticCustomError("invalid_email", "Input should be a shorter e-mail address")
    return address


def _phone(value: str) -> str:
    # Numbering plans change faster than anybody's table of them: country and length are looked at, not the plan.
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not value.strip().startswith("+"):
        raise PydanticCustomError("invalid_phone", "Input should be a phone number with a country code: +4930123456")
    if number.extension:  # which E.164 has no place for
        raise PydanticCustomError("invalid_phone", "Input should be a phone number without an extension")
    written: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if len(written) > len("+") + 15:
        raise PydanticCustomError("invalid_phone", "Input should be a phone number of at most 15 digits")
    return written


Email = Annotated[
    str, AfterValidator(_email), Field(max_length=MAX_EMAIL, json_schema_extra={"format": "email"}),
]  # fmt: skip
# Written as it was when it was registered, so cleaned as it was then; one that can't be an address is just unknown.
GivenEmail = Annotated[str, Field(max_length=1000), AfterValidator(clean_line)]
Phone = Annotated[str, AfterValidator(_phone), Field(max_length=50)]
Password = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD, json_schema_extra={"format": "password"})]
Secret = Annotated[str, Field(min_length=1, max_length=LONGEST_SECRET)]
JsonWebToken = Annotated[str, Field(min_length=1, max_length=10_000)]
OrNull = BeforeValidator(lambda value: value or None)


def _weakness(data: dict[str, Any], name: str) -> Iterator[Wrong]:
    """What is wrong with a new password without knowing whose it is, so that it is told with all that is wrong."""
    password = data.get(name)
    if isinstance(password, str) and len(password) <= MAX_PASSWORD:
        for code, sentence in password_faults(password):
            yield Wrong((name,), code, sentence)


# --- in ---


class NewProfile(In):
    """The profile of a new user."""

    first_name: Line100 = Field(description="Given name.", examples=["Ada"])
    last_name: Line100 = Field(description="Family name.", examples=["Lovelace"])
    phone: Phone | None = Field(None, description="With country code, in E.164 format.", examples=["+4930901820"])
    address: Text500 | None = Field(None, description="Postal address.", examples=["Unter den Linden 6, Berlin"])

    def fields(self) -> dict[str, Any]:
        """All values, by their Python names."""
        return {name: getattr(self, name) or "" for name in type(self).model_fields}


class Register(In):
    """A new user."""

    email: Email = Field(description="Where e-mails are sent; case-insensitive.", examples=["ada@example.com"])
    password: Password = Field(description="12 characters or more.", examples=["correct horse battery"])
    role: Role = Field(description="Providers offer services and can also book.", examples=["customer"])
    profile: NewProfile = Field(description="The user's profile.")

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        yield from _weakness(data, "password")


class LogIn(In):
    """Credentials to sign in with."""

    email: GivenEmail = Field(description="As registered; case-insensitive.", examples=["ada@example.com"])
    password: Password = Field(description="Your password.", examples=["correct horse battery"])


class Refresh(In):
    """A refresh token."""

    refresh: JsonWebToken = Field(description="The session's latest refresh token.", examples=["eyJhbGciOiJIUzI1NiIs…"])


class ForgotPassword(In):
    """The account whose password was forgotten."""

    email: GivenEmail = Field(description="As registered; case-insensitive.", examples=["ada@example.com"])


class ResetPassword(In):
    """A new password, and the token from the e-mail."""

    token: Secret = Field(description="The token from the link.", examples=["0199c0de…"])
    password: Password = Field(description="12 characters or more.", examples=["correct horse battery"])

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        yield from _weakness(data, "password")


class ChangePassword(In):
    """A new password to replace the current one."""

    current_password: Password = Field(description="Your current password.", examples=["correct horse battery"])
    new_password: Password = Field(description="12 characters or more.", examples=["staple correct horse"])

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        yield from _weakness(data, "newPassword")


class VerifyEmail(In):
    """Confirmation of an e-mail address."""

    token: Secret = Field(description="The token from the link.", examples=["0199c0de…"])


@partial
class ProfileChanges(NewProfile):
    """Changes to a profile. Omitted fields stay unchanged."""

    bio: Text2000 | None = Field(None, description="A few words about the user.", examples=["Cleans since 2009."])


@partial
class ChangeUser(In):
    """Changes to a user."""

    profile: ProfileChanges = Field(description="Merged with the current profile; null clears phone, address or bio.")


class EraseUser(In):
    """The password that confirms the erasure."""

    password: Password = Field(description="Your password.", examples=["correct horse battery"])


# --- out ---


class Profile(Out):
    """A user's profile."""

    first_name: str = Field(description="Given name.", examples=["Ada"])
    last_name: str = Field(description="Family name.", examples=["Lovelace"])
    phone: Annotated[str | None, OrNull] = Field(description="In E.164 format.", examples=["+4930901820"])
    address: Annotated[str | None, OrNull] = Field(description="Postal address.")
    bio: Annotated[str | None, OrNull] = Field(description="A few words about the user.")
    avatar_url: str | None = Field(description="URL of the picture, or null.")


class User(Out):
    """A user, as seen by themselves."""

    id: UUID = Field(description="The user's id.")
    email: str = Field(description="As entered by the user.", examples=["ada@example.com"])
    email_verified: bool = Field(validation_alias="is_email_verified", description="Whether the address was verified.")
    role: ShownRole = Field(validation_alias="shown_role", description="`staff` can't be registered.")
    profile: Profile = Field(description="The user's profile.")
    created_at: datetime = Field(description="When the user registered.")
    updated_at: datetime = Field(description="When the user or the profile was last changed.")


class PublicProfile(Out):
    """The part of a profile that others see."""

    first_name: str = Field(description="Given name.", examples=["Ada"])
    last_name: str = Field(description="Family name.", examples=["Lovelace"])
    bio: Annotated[str | None, OrNull] = Field(description="A few words about the user.")
    avatar_url: str | None = Field(description="URL of the picture, or null.")


class PublicUser(Out):
    """A user, as seen by others."""

    id: UUID = Field(description="The user's id.")
    role: ShownRole = Field(validation_alias="shown_role", description="Customer, provider or staff.")
    profile: PublicProfile = Field(description="The user's profile.")
    created_at: datetime = Field(description="When the user registered.")


class Tokens(Out):
    """A new pair of tokens for a session."""

    access: str = Field(description="Send it as `Authorization: Bearer …`.", examples=["eyJhbGciOiJIUzI1NiIs…"])
    refresh: str = Field(description="Works once, for the next pair.", examples=["eyJhbGciOiJIUzI1NiIs…"])
    token_type: Literal["Bearer"] = Field("Bearer", description="Always `Bearer`.", examples=["Bearer"])
    expires_in: int = Field(description="Lifetime of the access token in seconds.", examples=[900])


class Session(Tokens):
    """A new session."""

    user: User = Field(description="The signed-in user.")


class OpenSession(Out):
    """An open session."""

    id: UUID = Field(description="The session's id.")
    created_at: datetime = Field(description="When the user signed in.")
    last_used_at: datetime = Field(description="When its tokens were last renewed.")
    ip: str | None = Field(description="The IP address it was opened from.", examples=["203.0.113.7"])
    user_agent: str = Field(description="The client's own User-Agent.", examples=["Mozilla/5.0"])
    current: bool = Field(description="Whether it is the session of this request.")


class Export(Out, extra="allow"):
    """All data held about a user. Other parts of the system add their own members."""

    user: dict[str, Any] = Field(description="The user and the profile.")
    sessions: list[dict[str, Any]] = Field(description="The user's sessions.")
