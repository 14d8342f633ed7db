"""Categories, services and their search."""
