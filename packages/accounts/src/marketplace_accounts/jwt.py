"""Settings of django-ninja-jwt. Imports nothing of Django, so that a settings file can import it."""

from datetime import timedelta
from typing import Any


def jwt_settings(
    signing_key: str,
    *,
    issuer: str = "marketplace",
    audience: str = "marketplace-api",
    access: timedelta = timedelta(minutes=15),
    refresh: timedelta = timedelta(days=30),
) -> dict[str, Any]:
    """The whole of `NINJA_JWT`. `signing_key`: 32 bytes or more, and not SECRET_KEY.

    Every key is set: what is not, django-ninja-jwt takes from environment variables with such plain names as
    SIGNING_KEY, ALGORITHM or LEEWAY.
    """
    return {
        "ALGORITHM": "HS256",
        "SIGNING_KEY": signing_key,
        "VERIFYING_KEY": "",
        "JWK_URL": None,
        "ISSUER": issuer,
        "AUDIENCE": audience,
        "LEEWAY": 0,
        "JSON_ENCODER": None,
        "ACCESS_TOKEN_LIFETIME": access,
        "REFRESH_TOKEN_LIFETIME": refresh,
        "TOKEN_TYPE_CLAIM": "token_type",
        "JTI_CLAIM": "jti",
        "USER_ID_FIELD": "id",
        "USER_ID_CLAIM": "sub",
        # Of the parts that we don't use.
        "ROTATE_REFRESH_TOKENS": False,
        "BLACKLIST_AFTER_ROTATION": False,
        "UPDATE_LAST_LOGIN": False,
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "refresh_exp",
        "SLIDING_TOKEN_LIFETIME": timedelta(0),
        "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(0),
        "USER_AUTHENTICATION_RULE": "ninja_jwt.authentication.default_user_authentication_rule",
        "TOKEN_USER_CLASS": "ninja_jwt.models.TokenUser",
        "AUTH_TOKEN_CLASSES": ["ninja_jwt.tokens.AccessToken"],
        "TOKEN_OBTAIN_PAIR_INPUT_SCHEMA": "ninja_jwt.schema.TokenObtainPairInputSchema",
        "TOKEN_OBTAIN_PAIR_REFRESH_INPUT_SCHEMA": "ninja_jwt.schema.TokenRefreshInputSchema",
        "TOKEN_OBTAIN_SLIDING_INPUT_SCHEMA": "ninja_jwt.schema.TokenObtainSlidingInputSchema",
        "TOKEN_OBTAIN_SLIDING_REFRESH_INPUT_SCHEMA": "ninja_jwt.schema.TokenRefreshSlidingInputSchema",
        "TOKEN_BLACKLIST_INPUT_SCHEMA": "ninja_jwt.schema.TokenBlacklistInputSchema",
        "TOKEN_VERIFY_INPUT_SCHEMA": "ninja_jwt.schema.TokenVerifyInputSchema",
    }
