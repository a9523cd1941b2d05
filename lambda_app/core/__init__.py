"""Decisions without side effects: no socket, file, clock or environment in here."""
