-- has_migrations --
-- Whether any migration was ever applied.
SELECT to_regclass('lambda_migrations._yoyo_migration') IS NOT NULL;

-- migrations --
-- The names of the migrations that were applied.
SELECT migration_id::text FROM lambda_migrations._yoyo_migration;

-- read_only --
-- Whether the owner could change nothing: a setting of the server or the database says so, or it is a standby.
SELECT setting = 'on' FROM pg_settings WHERE name = 'transaction_read_only';

-- positions --
-- How far each partition of a topic is stored.
SELECT partition, next_offset FROM lambda.stream_offsets WHERE topic = %(topic)s;

-- seconds --
-- The server's clock, in seconds since 1970.
SELECT extract(epoch FROM clock_timestamp())::float8;

-- open_letters --
-- How many dead letters nobody has decided about.
SELECT count(*) FROM lambda.dead_letters WHERE resolved_at IS NULL;

-- blockers --
-- Sessions that wait for nothing, and for which sessions of the platform's programs wait. The programs themselves hold
-- locks for as long as their work takes.
SELECT
    blocking.pid AS process,
    coalesce(blocking.usename::text, 'a background process') AS user,
    array_agg(DISTINCT waiting.usename::text) AS waiting
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking_pid
JOIN pg_stat_activity AS blocking ON blocking.pid = blocking_pid
WHERE waiting.usename LIKE 'lambda\_%%'
    AND blocking.usename NOT IN ('lambda_owner', 'lambda_stream', 'lambda_batch')
    AND cardinality(pg_blocking_pids(blocking.pid)) = 0
GROUP BY 1, 2
ORDER BY 1;
