"""Benchmarks: `python -m tests.load search` and `caching` make the figures that the documents show."""
