"""PostgreSQL, Valkey, SeaweedFS and Caddy from wheels, started and stopped well, and a pytest plugin."""
