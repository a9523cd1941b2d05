-- dirty_days --
-- Dirty days: closed days with rows in the speed layer, without days that retention dropped.
SELECT DISTINCT day
FROM (
    SELECT (minute AT TIME ZONE z.name)::date AS day
    FROM (SELECT lambda.time_zone() AS name OFFSET 0) AS z, (
        SELECT minute FROM lambda.speed_stats UNION ALL SELECT minute FROM lambda.uncounted_minutes
    ) AS speed_layer
) AS days
WHERE day < (SELECT lambda.today())
AND NOT EXISTS (SELECT FROM lambda.batch_days AS b WHERE b.day = days.day AND b.dropped_at IS NOT NULL)
ORDER BY day;

-- all_days --
-- Days up to today that may have rows or have aggregates. A day's table may hold rows of the days beside it.
SELECT day
FROM (
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD') + shift AS day
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    CROSS JOIN generate_series(-1, 1) AS shift
    WHERE i.inhparent = 'lambda.transactions'::regclass
    UNION
    SELECT (minute AT TIME ZONE z.name)::date
    FROM (SELECT lambda.time_zone() AS name OFFSET 0) AS z, (
        SELECT minute FROM lambda.batch_stats
        UNION SELECT minute FROM lambda.speed_stats
        UNION SELECT minute FROM lambda.uncounted_minutes
    ) AS layers
) AS days
WHERE day <= (SELECT lambda.today())
AND NOT EXISTS (SELECT FROM lambda.batch_days AS b WHERE b.day = days.day AND b.dropped_at IS NOT NULL)
ORDER BY day;

-- uncounted_days --
-- Days with rows that have no aggregates yet, oldest first.
SELECT DISTINCT (minute AT TIME ZONE (SELECT lambda.time_zone()))::date AS day
FROM lambda.uncounted_minutes
ORDER BY day;

-- is_uncounted --
SELECT EXISTS (SELECT FROM lambda.uncounted_minutes WHERE minute >= %(start)s AND minute < %(end)s);

-- dropped_at --
-- The time at which retention dropped the transactions of a day; no row when it did not.
SELECT dropped_at FROM lambda.batch_days WHERE day = %(day)s AND dropped_at IS NOT NULL;

-- begin_generation --
-- Begins a generation: writers that come after the snapshot write rows of their own.
SELECT nextval('lambda.recompute_generation');

-- delete_speed_stats --
-- The first statement of its transaction: it takes the snapshot that all following statements see.
DELETE FROM lambda.speed_stats WHERE minute >= %(start)s AND minute < %(end)s;

-- delete_uncounted_minutes --
DELETE FROM lambda.uncounted_minutes WHERE minute >= %(start)s AND minute < %(end)s;

-- delete_batch_stats --
DELETE FROM lambda.batch_stats WHERE minute >= %(start)s AND minute < %(end)s;

-- insert_batch_stats --
-- Counts a day's transactions into aggregates by minute.
INSERT INTO lambda.batch_stats (
    minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
)
SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
FROM lambda.count_transactions(%(start)s, %(end)s);

-- delete_day_stats --
DELETE FROM lambda.batch_day_stats WHERE day = %(day)s;

-- insert_day_stats --
-- Adds the aggregates by minute up to a day's.
INSERT INTO lambda.batch_day_stats (
    day, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
)
SELECT
    %(day)s,
    merchant_category,
    transaction_type,
    sum(count),
    sum(amount_sum),
    min(amount_min),
    max(amount_max),
    sum(risk_sum),
    sum(high_risk_count)
FROM lambda.batch_stats
WHERE minute >= %(start)s AND minute < %(end)s
GROUP BY 2, 3;

-- delete_top_accounts --
DELETE FROM lambda.batch_top_accounts WHERE day = %(day)s;

-- insert_top_accounts --
INSERT INTO lambda.batch_top_accounts (day, rank, account_id, count, amount_sum)
SELECT %(day)s, row_number() OVER (ORDER BY amount_sum DESC, account_id), account_id, count, amount_sum
FROM (
    SELECT account_id, count(*) AS count, sum(amount) AS amount_sum
    FROM lambda.transactions
    WHERE event_time >= %(start)s AND event_time < %(end)s
    GROUP BY account_id
    ORDER BY amount_sum DESC, account_id
    LIMIT 100
) AS top;

-- record_day --
INSERT INTO lambda.batch_days AS b (day, count, recomputed_at)
SELECT %(day)s, coalesce(sum(count), 0), clock_timestamp() FROM lambda.batch_day_stats WHERE day = %(day)s
ON CONFLICT ON CONSTRAINT batch_days_pkey DO UPDATE SET count = excluded.count, recomputed_at = excluded.recomputed_at
RETURNING count;
