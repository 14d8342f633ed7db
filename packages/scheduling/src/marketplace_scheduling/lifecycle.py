"""What there may be of things."""

MAX_EXCEPTIONS = 1_000  # dates of one schedule with hours of their own: years of them, and still one short answer
