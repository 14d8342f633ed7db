"""The schema as a page to read: diagrams of the tables, and what each constraint and index is for."""
