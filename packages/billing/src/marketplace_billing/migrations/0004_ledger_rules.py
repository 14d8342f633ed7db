"""The ledger is only ever added to, and each posting's entries sum to zero: the database refuses anything else."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION marketplace_billing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON marketplace_billing_posting
    FOR EACH ROW EXECUTE FUNCTION marketplace_billing_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON marketplace_billing_entry
    FOR EACH ROW EXECUTE FUNCTION marketplace_billing_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON marketplace_billing_payout
    FOR EACH ROW EXECUTE FUNCTION marketplace_billing_append_only();

CREATE FUNCTION marketplace_billing_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM marketplace_billing_entry WHERE posting_id = NEW.posting_id GROUP BY currency HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'the entries of posting % do not sum to zero', NEW.posting_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_posting_is_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_posting_is_balanced AFTER INSERT ON marketplace_billing_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION marketplace_billing_balanced();
"""
BACKWARDS = """
DROP TRIGGER billing_posting_is_balanced ON marketplace_billing_entry;
DROP FUNCTION marketplace_billing_balanced();
DROP TRIGGER append_only ON marketplace_billing_payout;
DROP TRIGGER append_only ON marketplace_billing_entry;
DROP TRIGGER append_only ON marketplace_billing_posting;
DROP FUNCTION marketplace_billing_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace_billing", "0003_ledger")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
