-- lock_transactions --
-- Keeps retention from dropping a day that the audit's snapshot still shows. LOCK itself takes no snapshot.
LOCK TABLE lambda.transactions IN ACCESS SHARE MODE;

-- positions --
SELECT
    topic, partition, topic_id, next_offset,
    stored_count AS stored, duplicate_count AS duplicate, dead_letter_count AS dead_letters, gap_count AS gaps,
    rewound_count AS rewound, skipped_count AS skipped
FROM lambda.stream_offsets
ORDER BY topic, partition;

-- gaps --
-- For each partition the offsets in gaps with a known end, and the number of gaps without one.
SELECT topic, partition, coalesce(sum(to_offset - from_offset), 0)::bigint AS offsets, count(*) - count(to_offset) AS endless
FROM lambda.stream_gaps
GROUP BY topic, partition;

-- letters --
-- Dead letters by origin: a partition of a topic, or a job.
SELECT topic, partition, job_id, count(*) AS count, count(*) FILTER (WHERE resolution = 'stored') AS stored
FROM lambda.dead_letters
GROUP BY topic, partition, job_id;

-- rows --
-- Rows by day, ingestion type and job. The job_id of a stream row is left out: any message may carry one.
SELECT
    (event_time AT TIME ZONE z.name)::date AS day,
    ingestion_type,
    CASE WHEN ingestion_type = 'BATCH' THEN job_id END AS job_id,
    count(*) AS count
FROM lambda.transactions
CROSS JOIN (SELECT lambda.time_zone() AS name OFFSET 0) AS z
GROUP BY 1, 2, 3;

-- jobs --
SELECT
    job_id, business_date, source, status, file,
    rows_read AS read, rows_loaded AS loaded, rows_duplicate AS duplicate, rows_rejected AS rejected,
    content_hash, continued_by
FROM lambda.batch_jobs
ORDER BY id;

-- stats_days --
-- The days that the serving view has aggregates of.
SELECT DISTINCT (minute AT TIME ZONE z.name)::date
FROM lambda.transaction_stats
CROSS JOIN (SELECT lambda.time_zone() AS name OFFSET 0) AS z;

-- day_stats_days --
-- The days that the batch layer has aggregates of.
SELECT DISTINCT (minute AT TIME ZONE z.name)::date
FROM lambda.batch_stats
CROSS JOIN (SELECT lambda.time_zone() AS name OFFSET 0) AS z
UNION
SELECT day FROM lambda.batch_day_stats;

-- dropped_days --
SELECT day FROM lambda.batch_days WHERE dropped_at IS NOT NULL;

-- batch_days --
-- The count that the last recompute of each day noted, and the sum in batch_day_stats.
SELECT b.day, b.count AS noted, coalesce(sum(s.count), 0)::bigint AS counted
FROM lambda.batch_days AS b
LEFT JOIN lambda.batch_day_stats AS s ON s.day = b.day
WHERE b.recomputed_at IS NOT NULL
GROUP BY b.day, b.count;

-- impossible_speed_stats --
SELECT count(*) FROM lambda.speed_stats WHERE count < 1 OR high_risk_count NOT BETWEEN 0 AND count;

-- served --
SELECT coalesce(sum(count), 0)::bigint FROM lambda.transaction_stats WHERE minute >= %(start)s AND minute < %(end)s;

-- compare_serving_view --
-- Compares the serving view of a day with a recount, written in other words than the view, so that they share no mistake.
WITH recounted AS (
    SELECT
        floor(date_part('epoch', event_time) / 60) * 60 AS second,
        merchant_category IS NULL AS has_no_category,
        coalesce(merchant_category, '') AS category,
        transaction_type,
        sum(1) AS count,
        sum(amount) AS amount_sum,
        -max(-amount) AS amount_min,
        -min(-amount) AS amount_max,
        sum(coalesce(risk_score, 0)) AS risk_sum,
        sum(CASE WHEN risk_score < 0.8 OR risk_score IS NULL THEN 0 ELSE 1 END) AS high_risk_count
    FROM lambda.transactions
    WHERE event_time >= %(start)s AND event_time < %(end)s
    GROUP BY 1, 2, 3, 4
),
served AS (
    SELECT
        date_part('epoch', minute) AS second,
        merchant_category IS NULL AS has_no_category,
        coalesce(merchant_category, '') AS category,
        transaction_type,
        count,
        amount_sum,
        amount_min,
        amount_max,
        risk_sum,
        high_risk_count
    FROM lambda.transaction_stats
    WHERE minute >= %(start)s AND minute < %(end)s
),
compared AS (
    SELECT
        second,
        concat_ws(', ', CASE WHEN has_no_category THEN 'no category' ELSE category END, transaction_type) AS key,
        ARRAY[s.count, s.amount_sum, s.amount_min, s.amount_max, s.risk_sum, s.high_risk_count] AS found,
        ARRAY[r.count, r.amount_sum, r.amount_min, r.amount_max, r.risk_sum, r.high_risk_count] AS expected
    FROM served AS s
    FULL JOIN recounted AS r USING (second, has_no_category, category, transaction_type)
)
SELECT
    coalesce(sum(found[1]), 0)::bigint AS found,
    coalesce(sum(expected[1]), 0)::bigint AS expected,
    count(*) AS keys,
    count(*) FILTER (WHERE found IS DISTINCT FROM expected) AS differing,
    (
        array_agg(to_char(to_timestamp(second) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI"Z", ') || key ORDER BY second, key)
        FILTER (WHERE found IS DISTINCT FROM expected)
    )[:5] AS example_keys,
    (array_agg(found ORDER BY second, key) FILTER (WHERE found IS DISTINCT FROM expected))[:5][:] AS found_examples,
    (array_agg(expected ORDER BY second, key) FILTER (WHERE found IS DISTINCT FROM expected))[:5][:] AS expected_examples
FROM compared;

-- compare_day_stats --
-- Compares the batch layer of a day with its aggregates by minute.
WITH compared AS (
    SELECT
        concat_ws(', ', CASE WHEN has_no_category THEN 'no category' ELSE category END, transaction_type) AS key,
        ARRAY[d.count, d.amount_sum, d.amount_min, d.amount_max, d.risk_sum, d.high_risk_count] AS found,
        ARRAY[m.count, m.amount_sum, m.amount_min, m.amount_max, m.risk_sum, m.high_risk_count] AS expected
    FROM (
        SELECT *, merchant_category IS NULL AS has_no_category, coalesce(merchant_category, '') AS category
        FROM lambda.batch_day_stats
        WHERE day = %(day)s
    ) AS d
    FULL JOIN (
        SELECT
            merchant_category IS NULL AS has_no_category,
            coalesce(merchant_category, '') AS category,
            transaction_type,
            sum(count) AS count,
            sum(amount_sum) AS amount_sum,
            min(amount_min) AS amount_min,
            max(amount_max) AS amount_max,
            sum(risk_sum) AS risk_sum,
            sum(high_risk_count) AS high_risk_count
        FROM lambda.batch_stats
        WHERE minute >= %(start)s AND minute < %(end)s
        GROUP BY 1, 2, 3
    ) AS m USING (has_no_category, category, transaction_type)
)
SELECT
    coalesce(sum(found[1]), 0)::bigint AS found,
    coalesce(sum(expected[1]), 0)::bigint AS expected,
    count(*) AS keys,
    count(*) FILTER (WHERE found IS DISTINCT FROM expected) AS differing,
    (array_agg(key ORDER BY key) FILTER (WHERE found IS DISTINCT FROM expected))[:5] AS example_keys,
    (array_agg(found ORDER BY key) FILTER (WHERE found IS DISTINCT FROM expected))[:5][:] AS found_examples,
    (array_agg(expected ORDER BY key) FILTER (WHERE found IS DISTINCT FROM expected))[:5][:] AS expected_examples
FROM compared;
