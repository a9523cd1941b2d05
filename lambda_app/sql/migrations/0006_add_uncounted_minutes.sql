-- Rows whose aggregates nobody has worked out yet: where nearly each row of a chunk has a key of its own, its writer only notes of
-- which minutes they are. Readers count those minutes from transactions, a recompute of the day works them out. Readers of the
-- views wait an instant, writers for nothing.

-- No key: each writer notes for itself, and waits for nobody.
CREATE TABLE lambda.uncounted_minutes (minute timestamptz NOT NULL);

CREATE INDEX uncounted_minutes_minute_idx ON lambda.uncounted_minutes (minute);

COMMENT ON TABLE lambda.uncounted_minutes IS
'Speed layer: minutes of which some transactions have no aggregates yet; a minute may stand there more than once';

-- The aggregates by minute of the transactions from `starts` on and before `ends`, counted now. By EXECUTE the bounds are known
-- when the query is planned: it then looks at one partition or two, not at all of them.
CREATE FUNCTION lambda.count_transactions(
    starts timestamptz,
    ends timestamptz,
    OUT minute timestamptz,
    OUT merchant_category text,
    OUT transaction_type text,
    OUT count bigint,
    OUT amount_sum numeric,
    OUT amount_min numeric,
    OUT amount_max numeric,
    OUT risk_sum numeric,
    OUT high_risk_count bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE $query$
        SELECT
            date_bin('1 minute', event_time, TIMESTAMPTZ '2000-01-01 00:00Z'),
            merchant_category,
            transaction_type,
            count(*),
            sum(amount),
            min(amount),
            max(amount),
            coalesce(sum(risk_score), 0),
            count(*) FILTER (WHERE risk_score >= 0.8)
        FROM lambda.transactions
        WHERE event_time >= $1 AND event_time < $2
        GROUP BY 1, 2, 3
    $query$ USING starts, ends;
END
$$;

-- As before, and what is not counted yet. A minute is read from one place: the layers, or transactions. The OR keeps the planner
-- from a join, which would lose the order of the index.
CREATE OR REPLACE VIEW lambda.transaction_stats AS
SELECT
    minute,
    merchant_category,
    transaction_type,
    lambda.total(count) AS count,
    lambda.total(amount_sum) AS amount_sum,
    min(amount_min) AS amount_min,
    max(amount_max) AS amount_max,
    lambda.total(risk_sum) AS risk_sum,
    lambda.total(high_risk_count) AS high_risk_count
FROM (
    SELECT *
    FROM (
        SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
        FROM lambda.batch_stats AS b
        WHERE NOT (SELECT EXISTS (SELECT FROM lambda.uncounted_minutes))
            OR NOT EXISTS (SELECT FROM lambda.uncounted_minutes AS u WHERE u.minute = b.minute)
        UNION ALL
        SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
        FROM lambda.speed_stats AS s
        WHERE NOT (SELECT EXISTS (SELECT FROM lambda.uncounted_minutes))
            OR NOT EXISTS (SELECT FROM lambda.uncounted_minutes AS u WHERE u.minute = s.minute)
        UNION ALL
        SELECT
            uncounted.minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
        FROM (SELECT DISTINCT minute FROM lambda.uncounted_minutes) AS uncounted
        CROSS JOIN LATERAL lambda.count_transactions(uncounted.minute, uncounted.minute + interval '1 minute')
    ) AS layers
    ORDER BY minute, merchant_category, transaction_type
) AS sorted
GROUP BY minute, merchant_category, transaction_type;

COMMENT ON VIEW lambda.transaction_stats IS 'Serving layer: batch_stats, speed_stats and what is not counted yet combined, right at every moment';

CREATE OR REPLACE VIEW lambda.stats_today_by_minute AS
SELECT
    minute,
    sum(count)::bigint AS count,
    sum(amount_sum) AS amount_sum,
    round(sum(amount_sum) / sum(count), 2) AS amount_avg,
    sum(high_risk_count)::bigint AS high_risk_count
FROM (
    SELECT minute, count, amount_sum, high_risk_count
    FROM lambda.batch_stats AS b
    WHERE NOT (SELECT EXISTS (SELECT FROM lambda.uncounted_minutes))
        OR NOT EXISTS (SELECT FROM lambda.uncounted_minutes AS u WHERE u.minute = b.minute)
    UNION ALL
    SELECT minute, count, amount_sum, high_risk_count
    FROM lambda.speed_stats AS s
    WHERE NOT (SELECT EXISTS (SELECT FROM lambda.uncounted_minutes))
        OR NOT EXISTS (SELECT FROM lambda.uncounted_minutes AS u WHERE u.minute = s.minute)
    UNION ALL
    SELECT uncounted.minute, count, amount_sum, high_risk_count
    FROM (SELECT DISTINCT minute FROM lambda.uncounted_minutes) AS uncounted
    CROSS JOIN LATERAL lambda.count_transactions(uncounted.minute, uncounted.minute + interval '1 minute')
) AS layers
WHERE
    minute >= (SELECT lambda.day_start(lambda.today()))
    AND minute < (SELECT lambda.day_start(lambda.today() + 1))
GROUP BY minute
ORDER BY minute DESC;

-- A day that is not wholly counted is read from transactions.
CREATE OR REPLACE VIEW lambda.stats_by_day_and_category AS
WITH uncounted_days AS MATERIALIZED (
    SELECT DISTINCT (minute AT TIME ZONE (SELECT lambda.time_zone()))::date AS day FROM lambda.uncounted_minutes
),
speed_day_stats AS MATERIALIZED (
    SELECT
        (minute AT TIME ZONE (SELECT lambda.time_zone()))::date AS day,
        merchant_category,
        sum(count) AS count,
        sum(amount_sum) AS amount_sum,
        sum(high_risk_count) AS high_risk_count
    FROM lambda.speed_stats
    GROUP BY 1, 2
)
SELECT
    day,
    merchant_category,
    sum(count)::bigint AS count,
    sum(amount_sum) AS amount_sum,
    round(sum(amount_sum) / sum(count), 2) AS amount_avg,
    sum(high_risk_count)::bigint AS high_risk_count
FROM (
    SELECT day, merchant_category, count, amount_sum, high_risk_count
    FROM lambda.batch_day_stats
    WHERE day NOT IN (SELECT day FROM uncounted_days)
    UNION ALL
    SELECT day, merchant_category, count, amount_sum, high_risk_count
    FROM speed_day_stats
    WHERE day NOT IN (SELECT day FROM uncounted_days)
    UNION ALL
    SELECT day, merchant_category, count, amount_sum, high_risk_count
    FROM uncounted_days
    CROSS JOIN LATERAL lambda.count_transactions(lambda.day_start(day), lambda.day_start(day + 1))
) AS layers
GROUP BY day, merchant_category
ORDER BY day DESC, merchant_category;

GRANT SELECT, INSERT ON lambda.uncounted_minutes TO lambda_stream, lambda_batch;

GRANT SELECT ON lambda.uncounted_minutes TO lambda_reader;

-- Whoever stored rows in no order works their days out when there is nothing else to do.
GRANT DELETE ON lambda.uncounted_minutes TO lambda_stream, lambda_batch;

GRANT DELETE ON lambda.speed_stats TO lambda_stream;

GRANT SELECT, INSERT, DELETE ON lambda.batch_stats, lambda.batch_day_stats, lambda.batch_top_accounts TO lambda_stream;

GRANT SELECT, INSERT, UPDATE ON lambda.batch_days TO lambda_stream;

GRANT USAGE ON SEQUENCE lambda.recompute_generation TO lambda_stream;
