"""`EMAIL_URL`, against a real SMTP server."""

import email
import re
import smtplib
import ssl
from email.policy import default
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from django.core.exceptions import ImproperlyConfigured
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from marketplace.environment import mailer
from marketplace_accounts.testing import make_provider, make_user
from marketplace_booking import actions as bookings
from marketplace_booking.testing import make_booking
from marketplace_catalog.testing import make_service
from marketplace_embedded import ports
from marketplace_kit.jobs import PATIENT
from marketplace_kit.testing import run_jobs

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),  # on this machine alone
]

USER, SECRET = "p@st", "a/b:c"
LOGIN = "p%40st:a%2Fb%3Ac"


class Post:
    """What the server does with a message: keeps it, or as often as it is told to, asks to come again later."""

    def __init__(self):
        self.busy = 0
        self.kept = []

    async def handle_DATA(self, server, session, envelope):
        if self.busy:
            self.busy -= 1
            return "451 Busy, come again"
        self.kept.append((envelope, email.message_from_bytes(envelope.content, policy=default)))
        return "250 Kept"


def may_enter(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (USER.encode(), SECRET.encode())
    return AuthResult(success=known, handled=False)


@pytest.fixture
def post():
    """A server that wants a password."""
    handler, [port] = Post(), ports.pick(1)
    options = {"auth_required": True, "auth_require_tls": False, "authenticator": may_enter}
    server = Controller(handler, hostname="127.0.0.1", port=port, enable_SMTPUTF8=False, **options)
    server.start()
    yield SimpleNamespace(handler=handler, at=f"127.0.0.1:{port}")
    server.stop()


@pytest.fixture
def told(settings):
    """A confirmed booking, of which its customer is to be told by mail through that URL."""

    def tell(url):
        settings.MAILERS = {"default": mailer(url)}
        provider, customer = make_provider(), make_user()
        booking = make_booking(customer, make_service(provider, title="Grüße — 挨拶"))
        ProcrastinateJob.objects.all()._raw_delete(using="default")
        bookings.confirm_booking(provider, booking)
        return customer

    return tell


def test_a_mail_goes_out_by_smtp_with_all_its_parts(post, told):
    customer = told(f"smtp://{LOGIN}@{post.at}")
    run_jobs()

    [(envelope, message)] = post.handler.kept
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@localhost", [customer.email])
    assert message["Subject"] == "Confirmed: Grüße — 挨拶"
    assert "Grüße — 挨拶" in message.get_body(["plain"]).get_content()
    assert {"text/html", "text/calendar"} <= {part.get_content_type() for part in message.walk()}
    lines = envelope.content.splitlines()
    assert max(map(len, lines)) <= 998  # RFC 5322
    [unsubscribe] = [line for line in lines if line.startswith(b"List-Unsubscribe:")]
    assert re.fullmatch(rb"List-Unsubscribe: <http://\S+\?token=[\w.-]+>", unsubscribe)  # RFC 2369: not encoded


def test_it_is_tried_again_and_arrives_once(post, told):
    told(f"smtp://{LOGIN}@{post.at}")
    post.handler.busy = 1
    with pytest.raises(smtplib.SMTPDataError):
        run_jobs()
    assert post.handler.kept == []
    run_jobs()
    run_jobs()

    assert len(post.handler.kept) == 1
    assert app.tasks["marketplace_notifications.send_email"].retry_strategy is PATIENT


def test_a_wrong_password_is_told(post, told):
    told(f"smtp://{USER.replace('@', '%40')}:wrong@{post.at}")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        run_jobs()
    assert post.handler.kept == []


@pytest.mark.parametrize(
    ("scheme", "refusal"), [("smtp+tls", smtplib.SMTPNotSupportedError), ("smtp+ssl", ssl.SSLError)]
)
def test_without_tls_nothing_is_said_where_tls_was_asked_for(post, told, scheme, refusal):
    told(f"{scheme}://{LOGIN}@{post.at}")
    with pytest.raises(refusal):
        run_jobs()
    assert post.handler.kept == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 25, False, False)),
        ("smtp+tls://mail.example.com", ("mail.example.com", 587, True, False)),
        ("smtp+ssl://mail.example.com", ("mail.example.com", 465, False, True)),
        ("smtp+tls://[::1]:2525", ("::1", 2525, True, False)),
    ],
)
def test_what_a_url_means(url, expected):
    options = mailer(url)["OPTIONS"]
    assert (options["host"], options["port"], options["use_tls"], options["use_ssl"]) == expected


@pytest.mark.parametrize("url", ["smtps://mail.example.com:465", "mail.example.com", "smtp://", "smtp:mail"])
def test_another_url_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL: It does not begin with smtp://"):
        mailer(url)
