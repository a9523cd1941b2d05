"""Metrics of the platform's own programs: what they are called, and what a program says of one."""
