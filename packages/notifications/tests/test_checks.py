"""What `check` says to a project that lacks something."""

from django.core.management import call_command

from marketplace_notifications import checks


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
