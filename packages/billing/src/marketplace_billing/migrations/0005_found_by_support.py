"""What support looks for has an index: by time, by the gateway's reference, by what an event is about."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace_billing", "0004_ledger_rules"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="gatewayevent",
            index=models.Index(fields=["key"], name="billing_event_about"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["reference"], name="billing_payment_at_gateway"),
        ),
        migrations.AddIndex(
            model_name="posting",
            index=models.Index(fields=["created_at"], name="billing_posting_by_time"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["reference"], name="billing_refund_at_gateway"),
        ),
    ]
