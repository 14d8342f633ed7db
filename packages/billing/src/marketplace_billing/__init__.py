"""Payments, refunds and a pluggable gateway, with the mock one."""
