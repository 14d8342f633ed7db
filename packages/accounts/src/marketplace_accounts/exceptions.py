"""Every refusal of accounts."""

from marketplace_kit.exceptions import DomainError, InvalidField, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """E-mail or password is wrong."""

    code = "invalid_credentials"


class TokenNotValid(Unauthenticated):
    """This token is not valid, or no longer."""

    code = "token_not_valid"


class TokenReused(Unauthenticated):
    """This refresh token was used before. Its session has been ended, to be safe."""

    code = "token_reused"


class EmailTaken(DomainError):
    """Somebody has registered with this e-mail address."""

    code = "email_taken"


class InvalidToken(DomainError):
    """This link is wrong, used or expired."""

    status = 400
    code = "invalid_token"


class WrongPassword(InvalidField):
    """A value is not acceptable."""

    def __init__(self, pointer: str) -> None:
        super().__init__(pointer, "wrong_password", "This is not your password.")


class WeakPassword(InvalidField):
    """A value is not acceptable."""

    def __init__(self, pointer: str, faults: list[tuple[str, str]]) -> None:
        """`faults` are codes and sentences."""
        super().__init__(pointer, *faults[0])
        self.errors = [{"pointer": pointer, "code": code, "detail": detail} for code, detail in faults]
