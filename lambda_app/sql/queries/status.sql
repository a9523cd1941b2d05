-- stream --
-- The position of each partition of a topic, and how many rows it stored.
SELECT partition, next_offset, stored_count, gap_count FROM lambda.stream_offsets WHERE topic = %(topic)s;

-- newest_age --
-- The age of the newest transaction in seconds, without those dated in the future. `since` is a constant of the query, so
-- that the tables of earlier days are neither planned for nor locked.
SELECT extract(epoch FROM now() - max(event_time))::float8
FROM lambda.transactions
WHERE event_time > %(since)s AND event_time <= now();

-- last_job --
-- The job of the newest business date.
SELECT job_id, business_date, status, attempts, rows_loaded, error, file
FROM lambda.batch_jobs
ORDER BY business_date DESC, id DESC
LIMIT 1;

-- failed_jobs --
-- Jobs that were given up. A failed file is left out after a week, or when a file of its name was loaded after it had
-- failed: times are compared, since the same content is the same job and keeps its old id.
SELECT job_id, business_date, status, attempts, rows_loaded, error, file
FROM (SELECT *, coalesce(finished_at, created_at) AS ended_at FROM lambda.batch_jobs) AS j
WHERE status = 'failed' AND (
    file IS NULL OR (
        ended_at > now() - interval '7 days'
        AND NOT EXISTS (
            SELECT FROM lambda.batch_jobs AS later
            WHERE later.file = j.file AND later.status = 'completed' AND later.finished_at > j.ended_at
        )
    )
)
ORDER BY business_date, id;

-- dead_letters_open --
-- Dead letters neither retried with success nor discarded.
SELECT count(*) FROM lambda.dead_letters WHERE resolved_at IS NULL;
