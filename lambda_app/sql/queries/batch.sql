-- last_business_date --
-- The newest business date that has a job of this source.
SELECT max(business_date) FROM lambda.batch_jobs WHERE source = %(source)s;

-- register_job --
-- Registers a business date as a pending job unless it has one.
INSERT INTO lambda.batch_jobs (source, business_date)
VALUES (%(source)s, %(business_date)s)
ON CONFLICT (source, business_date) WHERE file IS NULL DO NOTHING
RETURNING job_id;

-- register_file --
-- Registers a file's content as a job, or returns the job that it has; a failed job becomes pending with new attempts,
-- since somebody put the file there again. When the file had grown after another job, that job notes this one as its successor.
WITH registered AS (
    INSERT INTO lambda.batch_jobs AS j (source, business_date, file, content_hash, file_bytes)
    VALUES ('inbox', lambda.today(), %(file)s, %(content_hash)s, %(file_bytes)s)
    ON CONFLICT (content_hash) DO UPDATE
    SET
        status = CASE WHEN j.status = 'failed' THEN 'pending' ELSE j.status END,
        attempts = CASE WHEN j.status = 'failed' THEN 0 ELSE j.attempts END,
        started_at = CASE WHEN j.status = 'failed' THEN NULL ELSE j.started_at END,
        finished_at = CASE WHEN j.status = 'failed' THEN NULL ELSE j.finished_at END
    RETURNING id, job_id, status, file, xmax = 0 AS is_new, error
),
continued AS (
    UPDATE lambda.batch_jobs AS p
    SET continued_by = r.job_id
    FROM registered AS r
    WHERE p.job_id = %(continues)s AND p.job_id <> r.job_id
)
SELECT id, job_id, status, file, is_new, error FROM registered;

-- last_refusal --
-- The newest refused entry of this name and reason within the last hour.
SELECT job_id
FROM lambda.batch_jobs
WHERE file = %(file)s AND content_hash IS NULL AND error = %(error)s AND finished_at > now() - interval '1 hour'
ORDER BY id DESC
LIMIT 1;

-- refuse_file --
-- Records an entry of the inbox that cannot be loaded as a failed job.
INSERT INTO lambda.batch_jobs (source, business_date, file, status, error, finished_at)
VALUES ('inbox', lambda.today(), %(file)s, 'failed', %(error)s, clock_timestamp())
RETURNING job_id;

-- repeat_refusal --
UPDATE lambda.batch_jobs SET finished_at = clock_timestamp() WHERE job_id = %(job_id)s;

-- ended_files --
-- As their jobs knew them.
SELECT job_id, content_hash, file_bytes, extract(epoch FROM finished_at)::float8 AS ended_at, continued_by
FROM lambda.batch_jobs
WHERE job_id = ANY(%(job_ids)s) AND status IN ('completed', 'failed') AND content_hash IS NOT NULL
ORDER BY id;

-- ended_jobs --
-- The jobs among these that have ended, and their files.
SELECT job_id, status, file
FROM lambda.batch_jobs
WHERE job_id = ANY(%(job_ids)s) AND status IN ('completed', 'failed') AND file IS NOT NULL;

-- reopen_failed_job --
-- Makes the failed job of a date pending, with new attempts.
UPDATE lambda.batch_jobs
SET status = 'pending', attempts = 0, error = NULL, started_at = NULL, finished_at = NULL
WHERE source = %(source)s AND business_date = %(business_date)s AND status = 'failed'
RETURNING job_id;

-- next_job --
-- The oldest job to run. Whoever holds the lock and finds a job running knows that its runner was killed.
SELECT
    id, job_id, business_date, source, status, attempts, started_at, file, content_hash,
    ARRAY(SELECT p.job_id FROM lambda.batch_jobs AS p WHERE p.continued_by = j.job_id) AS predecessors
FROM lambda.batch_jobs AS j
WHERE status IN ('pending', 'running') AND NOT id = ANY(%(done)s::bigint[])
ORDER BY business_date, id
LIMIT 1;

-- start_job --
-- Begins an attempt. started_at keeps the first start: the two hours for a job count from it.
UPDATE lambda.batch_jobs
SET status = 'running', attempts = %(attempts)s, started_at = coalesce(started_at, now()), finished_at = NULL
WHERE id = %(id)s
RETURNING started_at;

-- complete_job --
-- Completes a job, in the transaction that stores its rows.
UPDATE lambda.batch_jobs
SET
    status = 'completed',
    rows_read = %(rows_read)s,
    rows_loaded = %(rows_loaded)s,
    rows_duplicate = %(rows_duplicate)s,
    rows_rejected = %(rows_rejected)s,
    header = %(header)s,
    delimiter = %(delimiter)s,
    error = NULL,
    finished_at = clock_timestamp()
WHERE id = %(id)s;

-- end_attempt --
-- Ends an attempt that did not succeed: the job becomes pending to be tried again, or failed.
UPDATE lambda.batch_jobs
SET status = %(status)s, error = %(error)s, finished_at = CASE WHEN %(status)s = 'failed' THEN clock_timestamp() END
WHERE id = %(id)s;

-- failed_since --
-- Jobs that were given up at or after a time.
SELECT job_id FROM lambda.batch_jobs WHERE status = 'failed' AND finished_at >= %(since)s ORDER BY id;

-- list_jobs --
-- The newest jobs, newest first.
SELECT
    job_id, business_date, source, status, attempts, rows_read, rows_loaded, rows_duplicate, rows_rejected,
    started_at, finished_at, error, file
FROM lambda.batch_jobs
ORDER BY business_date DESC, id DESC
LIMIT %(limit)s;
