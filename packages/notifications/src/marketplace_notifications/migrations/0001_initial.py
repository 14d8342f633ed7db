import django.core.serializers.json
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import marketplace_kit.clock
import marketplace_kit.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StreamCounter",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("last", models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="StreamTicket",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("session_key", models.CharField(max_length=255)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=marketplace_kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("type", models.CharField(max_length=100)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("data", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("context", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("in_app", models.BooleanField()),
                ("position", models.PositiveBigIntegerField(editable=False, null=True)),
                ("read_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=marketplace_kit.clock.now, editable=False)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-created_at", "-id"], name="notifications_inbox"),
                    models.Index(
                        condition=models.Q(("in_app", True), ("read_at", None)),
                        fields=["user", "-created_at", "-id"],
                        name="notifications_unread",
                    ),
                    models.Index(
                        condition=models.Q(("in_app", True), ("position", None)),
                        fields=["user", "created_at", "id"],
                        name="notifications_unnumbered",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("position__isnull", False)),
                        fields=("user", "position"),
                        name="notifications_one_per_position",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("position", None), models.Q(("in_app", True), ("position__gte", 1)), _connector="OR"
                        ),
                        name="notifications_position_in_app",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("type", models.CharField(max_length=100)),
                ("email", models.BooleanField()),
                ("in_app", models.BooleanField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "type"), name="notifications_one_preference")],
            },
        ),
    ]
