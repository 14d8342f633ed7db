"""Every refusal of accounts."""

from marketplace_kit.exceptions import DomainError, InvalidField, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """Wrong e-mail address or password."""

    code = "invalid_credentials"


class TokenNotValid(Unauthenticated):
    """This token is invalid, expired or revoked."""

    code = "token_not_valid"


class TokenReused(Unauthenticated):
    """This refresh token has already been used. For safety, its session has been ended."""

    code = "token_reused"


class EmailTaken(DomainError):
    """This e-mail address is already registered."""

    code = "email_taken"


class InvalidToken(DomainError):
    """This link is invalid, expired or already used."""

    status = 400
    code = "invalid_token"


class WrongPassword(InvalidField):
    """A value is invalid."""

    def __init__(self, pointer: str) -> None:
        super().__init__(pointer, "wrong_password", "The password is incorrect.")


class WeakPassword(InvalidField):
    """A value is invalid."""

    def __init__(self, pointer: str, faults: list[tuple[str, str]]) -> None:
        """`faults` are codes and sentences."""
        super().__init__(pointer, *faults[0])
        self.errors = [{"pointer": pointer, "code": code, "detail": detail} for code, detail in faults]
