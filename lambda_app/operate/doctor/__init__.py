"""Gathers what the doctor judges (core/operate/doctor): units, host, servers. Changes nothing."""
