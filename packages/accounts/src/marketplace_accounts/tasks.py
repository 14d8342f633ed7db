"""What accounts does in the background: mails, and forgetting."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.template.loader import render_to_string
from procrastinate.contrib.django import app

from marketplace_kit import mail
from marketplace_kit.clock import now
from marketplace_kit.jobs import PATIENT

from . import actions
from .conf import conf
from .lifecycle import Purpose
from .models import OneTimeToken, Session, User


@app.task(name="marketplace_accounts.send_password_reset", queue="mail", retry=PATIENT)
def send_password_reset(token_id: str, user_id: str | None) -> None:
    """Mail the link with which a password can be set. For nobody, do nothing. Safe to repeat."""
    user = User.objects.active().filter(pk=user_id).first() if user_id else None
    if user is not None:
        _mail_link(UUID(token_id), user, Purpose.PASSWORD_RESET, conf.PASSWORD_RESET_URL)


@app.task(name="marketplace_accounts.send_email_verification", queue="mail", retry=PATIENT)
def send_email_verification(token_id: str, user_id: str) -> None:
    """Mail the link that verifies an address, unless it is verified meanwhile. Safe to repeat."""
    user = User.objects.active().filter(pk=user_id, email_verified_at=None).first()
    if user is not None:
        _mail_link(UUID(token_id), user, Purpose.EMAIL_VERIFY, conf.EMAIL_VERIFY_URL)


def _mail_link(token_id: UUID, user: User, purpose: Purpose, page: str) -> None:
    secret = actions.make_secret(token_id, user, purpose)
    # No names: whoever registers with a stranger's address must not choose what the stranger reads.
    context = {"link": f"{page}?{urlencode({'token': secret})}", "email": user.email, "site": conf.SITE_NAME}
    context["lifetime"] = in_words(OneTimeToken.lifetime(purpose))
    subject, text, html = (
        render_to_string(f"marketplace_accounts/mail/{purpose}.{kind}", context) for kind in ("subject", "txt", "html")
    )
    mail.send(f"{purpose}-{token_id}", user.email, subject, text, html)


def in_words(span: timedelta) -> str:
    """`span` in whole hours, or else in minutes: never longer than it is."""
    minutes = int(span.total_seconds() // 60)
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@app.periodic(cron="17 3 * * *")
@app.task(name="marketplace_accounts.forget", queue="accounts", queueing_lock="marketplace_accounts.forget")
def forget(timestamp: int) -> None:
    """Delete sessions and links that are past their time: they tell where somebody was."""
    Session.objects.filter(expires_at__lt=now()).delete()
    OneTimeToken.objects.filter(expires_at__lt=now()).delete()
