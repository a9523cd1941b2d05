-- jobs --
-- How many jobs have each status.
SELECT status, count(*) AS count FROM lambda.batch_jobs GROUP BY status;

-- last_night --
-- The newest completed night, times in seconds since 1970.
SELECT
    extract(epoch FROM finished_at)::float8 AS completed_at,
    extract(epoch FROM (business_date + 1)::timestamp AT TIME ZONE (SELECT lambda.time_zone()))::float8 AS day_ended_at,
    rows_loaded,
    extract(epoch FROM finished_at - started_at)::float8 AS seconds
FROM lambda.batch_jobs
WHERE file IS NULL AND status = 'completed'
ORDER BY business_date DESC, id DESC
LIMIT 1;

-- nights --
-- The last seven closed days with their job, from the first that ever had one; the status is `missing` where there is none.
SELECT
    nights_ago,
    coalesce(j.status, 'missing') AS status,
    coalesce(j.rows_loaded, 0) AS rows_loaded,
    coalesce(extract(epoch FROM j.finished_at - j.started_at), 0)::float8 AS seconds
FROM generate_series(1, 7) AS nights_ago
LEFT JOIN LATERAL (
    SELECT status, rows_loaded, finished_at, started_at
    FROM lambda.batch_jobs
    WHERE file IS NULL AND business_date = (SELECT lambda.today()) - nights_ago
    ORDER BY id DESC
    LIMIT 1
) AS j ON true
WHERE (SELECT lambda.today()) - nights_ago >= (SELECT min(business_date) FROM lambda.batch_jobs WHERE file IS NULL)
ORDER BY nights_ago;

-- totals --
-- What is one number each. The rows of the speed layer are estimated: counting them would read them all.
SELECT
    (
        SELECT coalesce(max(extract(epoch FROM now() - started_at)), 0)::float8
        FROM lambda.batch_jobs
        WHERE status = 'running'
    ) AS running_seconds,
    (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'lambda.speed_stats'::regclass) AS speed_rows,
    (SELECT count(DISTINCT minute) FROM lambda.uncounted_minutes) AS uncounted_minutes,
    (SELECT count(*) FROM lambda.dead_letters WHERE resolved_at IS NULL) AS dead_letters,
    (SELECT count(*) FROM lambda.stream_gaps) AS gaps,
    (SELECT max(age(datfrozenxid))::bigint FROM pg_database) AS unfrozen_transactions,
    (SELECT extract(epoch FROM min(applied_at_utc))::float8 FROM lambda_migrations._yoyo_migration) AS schema_created_at;
