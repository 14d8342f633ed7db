"""Benchmarks: `python -m tests.load search`, `caching`, `stream` and `floor` make the figures of the documents."""
