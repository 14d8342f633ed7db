"""All bookings, newest first, have an index: for staff's lists, and for what is counted by day."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace_booking", "0002_append_only_history"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["-created_at", "-id"], name="booking_newest"),
        ),
    ]
