"""What `check` says to a project that lacks something."""

import pytest
from django.core.management import call_command

from marketplace_notifications import checks
from marketplace_notifications.conf import conf


def ids(found) -> list[str]:
    return [message.id.removeprefix("marketplace_notifications.") for message in found]


def test_this_project_lacks_nothing():
    call_command("check")


def test_the_stream_wants_its_classes(settings):
    settings.EVENTSTREAM_STORAGE_CLASS = "django_eventstream.storage.DjangoModelStorage"
    del settings.EVENTSTREAM_CHANNELMANAGER_CLASS
    assert ids(checks.check_stream_settings()) == ["W001", "W001"]


def test_the_listener_that_goes_deaf_is_refused(settings):
    settings.EVENTSTREAM_REDIS = {"host": "localhost"}
    assert ids(checks.check_stream_settings()) == ["E001"]


def test_sessions_of_which_nobody_knows_the_end_are_told(settings):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert ids(checks.check_stream_settings()) == ["W003"]
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "SESSIONS_ENDED": set}
    assert ids(checks.check_stream_settings()) == []


@pytest.mark.parametrize("usual", [{"email": True}, {"email": True, "in_app": True, "sms": True}])
def test_a_type_goes_out_on_both_channels_or_not(settings, usual):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "TYPES": {"parcel.sent": usual}}
    [problem] = conf.problems()
    assert problem.msg.startswith("NOTIFICATIONS['TYPES']['parcel.sent']: It names other channels")


def test_a_type_without_words_is_told(settings):
    usual = {"email": False, "in_app": True}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "TYPES": {"parcel.sent": usual, "parcel.eaten": usual}}
    found = checks.check_templates()
    assert [message.msg for message in found] == [
        "There is no template 'notifications/parcel.eaten.title.txt'.",
        "There is no template 'notifications/parcel.eaten.body.txt'.",
    ]


def test_without_an_engine_of_djangos_every_template_is_missing(settings):
    settings.TEMPLATES = []
    assert ids(checks.check_templates()) == ["E002"] * 6


def test_webhooks_to_private_addresses_are_no_deployment(settings):
    assert ids(checks.check_webhooks()) == []
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ALLOW_PRIVATE": True}
    assert ids(checks.check_webhooks()) == ["W002"]
