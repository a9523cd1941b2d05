"""What people and timers run beside stream and batch: status, audit, dead letters, maintenance, migrations."""
