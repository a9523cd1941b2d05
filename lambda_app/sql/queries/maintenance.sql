-- closed_partitions --
-- The day tables whose days have ended, oldest first. A day's table may hold rows of the days beside it.
SELECT
    p.day,
    p.first_day,
    p.last_day,
    t.today - p.last_day AS age_days,
    EXISTS (
        SELECT FROM pg_index AS x JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attname = 'transaction_id'
        WHERE x.indrelid = p.oid AND x.indkey::text = a.attnum::text AND x.indpred IS NULL AND x.indisvalid
    ) AS has_index,
    EXISTS (
        SELECT FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid AND c.relname = p.name || '_id_idx'
        WHERE x.indrelid = p.oid AND NOT x.indisvalid
    ) AS has_broken_index,
    b.dropped_at IS NULL AND (
        b.closed_at IS NULL
        -- An id that came late to one of the days before may be in this one too.
        OR EXISTS (
            SELECT FROM lambda.batch_days AS n
            WHERE n.day BETWEEN p.day - %(days_before)s AND p.day AND n.recomputed_at > b.closed_at
        )
    ) AS is_to_count
FROM (SELECT lambda.today() AS today OFFSET 0) AS t
CROSS JOIN LATERAL (
    SELECT
        c.oid,
        c.relname AS name,
        d.day,
        (bounds.lower_bound AT TIME ZONE (SELECT lambda.time_zone()))::date AS first_day,
        ((bounds.upper_bound - interval '1 microsecond') AT TIME ZONE (SELECT lambda.time_zone()))::date AS last_day
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relname ~ '^transactions_[0-9]{8}$'
    CROSS JOIN LATERAL to_date(right(c.relname, 8), 'YYYYMMDD') AS d (day)
    CROSS JOIN LATERAL lambda.partition_bounds(d.day) AS bounds
    WHERE i.inhparent = 'lambda.transactions'::regclass
) AS p
LEFT JOIN lambda.batch_days AS b ON b.day = p.day
WHERE p.last_day < t.today
ORDER BY p.day;

-- set_lock_timeout --
SELECT set_config('lock_timeout', %(milliseconds)s::text, false);

-- drop_broken_index --
-- Drops the invalid index that a killed build leaves.
DROP INDEX CONCURRENTLY IF EXISTS lambda.%(index)s;

-- build_index --
-- Builds an index while writers go on; waits for transactions that began before.
CREATE INDEX CONCURRENTLY IF NOT EXISTS %(index)s ON lambda.%(partition)s (transaction_id);

-- ids_of_day --
-- The ids in a day's table, for count_repeated_ids.
SELECT transaction_id, %(is_of_day)s AS is_of_day FROM lambda.%(partition)s;

-- count_repeated_ids --
-- How many ids of a day occur more than once, that day or in the days before, with a few of them as literals. `ids` reads
-- each day's ids from the index of its table: merged, they come in order, so that no temporary file is needed.
SELECT
    count(*) AS count,
    string_agg(quote_literal(transaction_id), ', ') FILTER (WHERE number <= %(examples)s) AS examples,
    now() AS counted_at
FROM (
    SELECT transaction_id, row_number() OVER () AS number
    FROM (%(ids)s) AS ids
    GROUP BY transaction_id
    HAVING count(*) > 1 AND bool_or(is_of_day)
) AS repeated;

-- record_repeated_ids --
-- Notes the count for a day. Waits while the day is recomputed, which writes the same row and holds the lock. Both
-- statements are sent as one string, and so are one transaction.
SELECT pg_advisory_xact_lock(%(lock)s, %(key)s) FROM set_config('lock_timeout', '0', true);
INSERT INTO lambda.batch_days (day, repeated_ids, closed_at) VALUES (%(day)s, %(repeated_ids)s, %(closed_at)s)
ON CONFLICT ON CONSTRAINT batch_days_pkey
DO UPDATE SET repeated_ids = excluded.repeated_ids, closed_at = excluded.closed_at;

-- drop_partition --
-- Drops a day's table and notes that, sent as one string and so one transaction. Nobody recomputes these days meanwhile,
-- because of their locks, nor writes to them; a day with rows without aggregates is not dropped, since they must be counted
-- first. Others who use the table wait no longer than the timeout.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true);
SELECT pg_advisory_xact_lock(%(lock)s, key) FROM unnest(%(keys)s::integer[]) AS key ORDER BY key;
INSERT INTO lambda.batch_days (day, dropped_at) SELECT day, now() FROM unnest(%(days)s::date[]) AS day
ON CONFLICT ON CONSTRAINT batch_days_pkey DO UPDATE SET dropped_at = excluded.dropped_at;
LOCK TABLE ONLY lambda.transactions, lambda.%(partition)s IN ACCESS EXCLUSIVE MODE;
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM lambda.uncounted_minutes
        WHERE (minute AT TIME ZONE (SELECT lambda.time_zone()))::date = ANY(%(days)s::date[])
    ) THEN
        RAISE EXCEPTION 'some of its rows are not counted yet' USING ERRCODE = 'lock_not_available';
    END IF;
END
$$;
DROP TABLE lambda.%(partition)s;
