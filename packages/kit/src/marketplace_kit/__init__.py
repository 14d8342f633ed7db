"""The shared ground of the marketplace packages: errors, schemas, parsing, pagination, mail, settings, the clock."""
