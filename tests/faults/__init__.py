"""Real clients, and parts of a real system that die under them: `python -m tests.faults`."""
