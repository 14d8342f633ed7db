"""The history of bookings is only ever added to: the database refuses anything else."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION marketplace_booking_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of bookings is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON marketplace_booking_historyentry
    FOR EACH ROW EXECUTE FUNCTION marketplace_booking_append_only();
"""
BACKWARDS = """
DROP TRIGGER append_only ON marketplace_booking_historyentry;
DROP FUNCTION marketplace_booking_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace_booking", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
