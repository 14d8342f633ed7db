import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import marketplace_kit.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        BtreeGistExtension(),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=marketplace_kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("timezone", models.CharField(max_length=64)),
                ("windows", models.JSONField(default=dict)),
                ("duration", models.SmallIntegerField()),
                ("buffer_before", models.SmallIntegerField(default=0)),
                ("buffer_after", models.SmallIntegerField(default=0)),
                ("slot_interval", models.SmallIntegerField(default=30)),
                ("minimum_notice", models.IntegerField(default=0)),
                ("booking_window", models.SmallIntegerField(default=60)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("duration__range", (5, 1440))), name="marketplace_scheduling_duration"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("buffer_before__range", (0, 1440))),
                        name="marketplace_scheduling_buffer_before",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("buffer_after__range", (0, 1440))),
                        name="marketplace_scheduling_buffer_after",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("slot_interval__range", (5, 1440))),
                        name="marketplace_scheduling_slot_interval",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minimum_notice__range", (0, 43200))),
                        name="marketplace_scheduling_minimum_notice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("booking_window__range", (1, 365))),
                        name="marketplace_scheduling_booking_window",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=marketplace_kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("blocked", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("lapsed", models.BooleanField(default=False)),
                (
                    "provider",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("lapsed", False)),
                        expressions=[(models.F("provider"), "="), (models.F("blocked"), "&&")],
                        name="marketplace_scheduling_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("during__isempty", False),
                            ("during__lower_inc", True),
                            ("during__lower_inf", False),
                            ("during__upper_inc", False),
                            ("during__upper_inf", False),
                            ("blocked__isempty", False),
                            ("blocked__lower_inc", True),
                            ("blocked__lower_inf", False),
                            ("blocked__upper_inc", False),
                            ("blocked__upper_inf", False),
                            ("blocked__contains", models.F("during")),
                        ),
                        name="marketplace_scheduling_proper_ranges",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("lapsed", False), ("expires_at__isnull", False), _connector="OR"),
                        name="marketplace_scheduling_only_the_unconfirmed_lapse",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduleException",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField()),
                ("windows", models.JSONField(default=list)),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exceptions",
                        to="marketplace_scheduling.schedule",
                    ),
                ),
            ],
            options={
                "ordering": ["date"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("schedule", "date"), name="marketplace_scheduling_one_exception_a_date"
                    )
                ],
            },
        ),
    ]
