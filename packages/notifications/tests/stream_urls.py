from django.urls import path

from marketplace_notifications.stream import stream

urlpatterns = [path("api/notifications/stream", stream)]
