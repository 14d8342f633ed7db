"""Checked uploads and their objects in S3-compatible storage."""
