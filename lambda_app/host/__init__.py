"""The machine that a program runs on: its clock, journal, terminal, environment and systemd."""
