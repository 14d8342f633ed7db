"""Watching the system from outside: metrics and traces, each off unless the environment asks for it."""
