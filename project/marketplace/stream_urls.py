"""What the stream's process serves."""

from django.urls import path

from marketplace_notifications.stream import stream

urlpatterns = [path("api/v1/notifications/stream", stream)]
