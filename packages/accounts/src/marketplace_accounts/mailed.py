"""The secrets in mailed links: a row's id, signed. They are made when they are mailed, and stored nowhere."""

from uuid import UUID

from django.core import signing

from .exceptions import InvalidToken
from .lifecycle import Purpose


def sign(token_id: UUID, purpose: Purpose) -> str:
    """The secret of the OneTimeToken with this id."""
    return _signer(purpose).sign(token_id.hex)


def unsign(secret: str, purpose: Purpose) -> UUID:
    """The id that a secret was made of. InvalidToken where we did not make it, or for another purpose."""
    try:
        return UUID(hex=_signer(purpose).unsign(secret))
    except signing.BadSignature as error:
        raise InvalidToken from error


def _signer(purpose: Purpose) -> signing.Signer:
    return signing.Signer(salt=f"marketplace_accounts.{purpose}", sep=".")
