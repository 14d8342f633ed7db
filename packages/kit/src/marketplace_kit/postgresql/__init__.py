"""A database backend: `"ENGINE": "marketplace_kit.postgresql"`."""
