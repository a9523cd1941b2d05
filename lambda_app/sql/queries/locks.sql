-- try_lock --
-- Never waits.
SELECT pg_try_advisory_lock(%(lock)s, %(key)s);

-- lock --
-- Waits for this long at most; 0 is without end.
SELECT pg_advisory_lock(%(lock)s, %(key)s) FROM set_config('lock_timeout', %(milliseconds)s::text, false);

-- unlock --
SELECT pg_advisory_unlock(%(lock)s, %(key)s);

-- share_days --
-- In the order of the days, until the commit.
SELECT pg_advisory_xact_lock_shared(%(lock)s, key) FROM unnest(%(keys)s::integer[]) AS key ORDER BY key;
