"""Structured logs by structlog: one JSON object a line, or coloured text for a person. Secrets are removed."""

import json
import logging
import re
from typing import Any

import orjson
import structlog

# The last line of defence: we log none of these on purpose, but an exception may quote the values it met.
_SECRETS = re.compile(
    r"""
    (?P<jwt>\beyJ[\w-]+\.[\w-]+\.[\w-]*)
    | (?P<webhook>\bwhsec_[\w+/=-]+)
    | (?P<before>
          \b(?:Bearer|Basic)\s+
        | ://[^\s:/@"']*:(?=[^\s/@]+@)
        | \b(?:ticket|token|signature)=
        | \b(?:password|currentPassword|newPassword|refresh|access|token|ticket|secret)\\?["']:\s*\\?["']
      )
      [^\s"'\\&@]+
    """,
    re.VERBOSE | re.IGNORECASE,
)
# A quick pre-check: every match of the pattern contains one of these, and hardly any line does.
_SIGNS = (
    *("eyj", "whsec_", "bearer", "basic", "://", "ticket", "token"),
    *("signature", "password", "refresh", "access", "secret"),
)
STRUCK_OUT = "[secret]"
TALKATIVE = ("procrastinate", "httpx", "httpcore", "urllib3", "boto3", "botocore", "s3transfer", "django.db.backends")


def without_secrets(text: str) -> str:
    """`text` with everything that looks like a token, a password or a secret removed."""
    folded = text.casefold()
    if not any(sign in folded for sign in _SIGNS):
        return text
    return _SECRETS.sub(lambda match: f"{match['before'] or ''}{STRUCK_OUT}", text)


class _Line(str):
    """As it is written."""

    __slots__ = ()


def _strike_out(logger: Any, method: str, rendered: Any) -> _Line:
    return _Line(without_secrets(rendered))


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats records from other loggers; ours arrive already formatted."""

    def format(self, record: logging.LogRecord) -> str:
        return record.msg if isinstance(record.msg, _Line) else super().format(record)


class _WithTraceback(logging.Filter):
    """Lets through what tells of an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


def _to_json(event: Any, **options: Any) -> str:
    try:
        return orjson.dumps(event, default=repr).decode()
    except TypeError:  # what JSON has no form for, or not in so few bits: the library's own can do with more
        return json.dumps(event, default=repr)


def logging_config(level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, `style` being `json` or `console`."""
    # No line shows threads, processes or code locations, which would be looked up for each record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]  # no local variables: secrets
        if style == "console"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_to_json)]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, *last, _strike_out],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": _Formatter,
        "foreign_pre_chain": shared,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _strike_out],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "filters": {"traceback": {"()": _WithTraceback}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line per request is ours; Django's would be a second. But what a view met tells nobody else.
            "django.request": {"level": "ERROR", "filters": ["traceback"]},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django.server": {"level": "WARNING"},
            "marketplace.audit": {"level": "INFO"},
            # They would log job arguments, full URLs, headers and SQL parameters: kept at WARNING at any level.
            **{name: {"level": max(logging.getLevelName(level), logging.WARNING)} for name in TALKATIVE},
        },
    }
