-- The views that people open first, and a quicker transaction_stats.
-- Readers of transaction_stats wait an instant, writers for nothing.

-- The date it is now where the platform's days are cut.
CREATE FUNCTION lambda.today() RETURNS date
LANGUAGE sql STABLE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$ SELECT (statement_timestamp() AT TIME ZONE lambda.time_zone())::date $$;

-- The first moment of a day. Where midnight comes twice AT TIME ZONE gives the second one, the day begins with the first.
CREATE FUNCTION lambda.day_start(day date) RETURNS timestamptz
LANGUAGE sql STABLE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    WITH zone AS MATERIALIZED (SELECT lambda.time_zone() AS name)
    SELECT min(moment)
    FROM
        zone,
        LATERAL (SELECT day::timestamp AT TIME ZONE zone.name AS last) AS midnight,
        generate_series(midnight.last - interval '2 hours', midnight.last, interval '15 minutes') AS moment
    WHERE (moment AT TIME ZONE zone.name)::date >= day
$$;

-- sum() sets up a state for each group and converts it at the end: most of the time where groups are a row or two.
CREATE AGGREGATE lambda.total(bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);

CREATE AGGREGATE lambda.total(numeric) (SFUNC = numeric_add, STYPE = numeric, COMBINEFUNC = numeric_add, PARALLEL = SAFE);

COMMENT ON AGGREGATE lambda.total(bigint) IS 'sum() for groups of few values';
COMMENT ON AGGREGATE lambda.total(numeric) IS 'sum() for groups of few values';

-- In the order of both keys: the rows of a group then come one after the other, which takes less than hashing them.
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
        FROM lambda.batch_stats
        UNION ALL
        SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
        FROM lambda.speed_stats
    ) AS layers
    ORDER BY minute, merchant_category, transaction_type
) AS sorted
GROUP BY minute, merchant_category, transaction_type;

-- Here and below: a subquery is evaluated once, a function in a condition may be for every row.
CREATE VIEW lambda.stats_today_by_minute AS
SELECT
    minute,
    sum(count)::bigint AS count,
    sum(amount_sum) AS amount_sum,
    round(sum(amount_sum) / sum(count), 2) AS amount_avg,
    sum(high_risk_count)::bigint AS high_risk_count
FROM (
    SELECT minute, count, amount_sum, high_risk_count FROM lambda.batch_stats
    UNION ALL
    SELECT minute, count, amount_sum, high_risk_count FROM lambda.speed_stats
) AS layers
WHERE
    minute >= (SELECT lambda.day_start(lambda.today()))
    AND minute < (SELECT lambda.day_start(lambda.today() + 1))
GROUP BY minute
ORDER BY minute DESC;

COMMENT ON VIEW lambda.stats_today_by_minute IS 'Today''s transactions by minute of event_time, newest first; the day is that of the platform''s time zone';

-- batch_day_stats is written in the transaction that moves a day out of speed_stats: together they are the whole.
-- Materialized: a condition on the day is then one on a few rows, not on each of speed_stats.
CREATE VIEW lambda.stats_by_day_and_category AS
WITH speed_day_stats AS MATERIALIZED (
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
    SELECT day, merchant_category, count, amount_sum, high_risk_count FROM lambda.batch_day_stats
    UNION ALL
    SELECT day, merchant_category, count, amount_sum, high_risk_count FROM speed_day_stats
) AS layers
GROUP BY day, merchant_category
ORDER BY day DESC, merchant_category;

COMMENT ON VIEW lambda.stats_by_day_and_category IS 'All transactions by day and merchant category, newest day first, right at every moment';

CREATE VIEW lambda.top_accounts_by_day AS
SELECT
    t.day,
    t.rank,
    t.account_id,
    t.count,
    t.amount_sum,
    d.recomputed_at
FROM lambda.batch_top_accounts AS t
JOIN lambda.batch_days AS d USING (day)
ORDER BY t.day DESC, t.rank;

COMMENT ON VIEW lambda.top_accounts_by_day IS
'The hundred accounts with the largest sum of each recomputed day, newest day first; what came after recomputed_at is not in it';

-- By EXECUTE the bounds are known when the query is planned: it then looks at one partition or two, not at all of them.
CREATE FUNCTION lambda.high_risk_transactions(after timestamptz, until timestamptz) RETURNS SETOF lambda.transactions
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE
        'SELECT * FROM lambda.transactions WHERE risk_score >= 0.8 AND event_time > $1 AND event_time <= $2 ORDER BY event_time DESC'
        USING after, until;
END
$$;

CREATE VIEW lambda.high_risk_last_hour AS
SELECT
    event_time,
    transaction_id,
    account_id,
    transaction_type,
    amount,
    risk_score,
    merchant_category,
    location,
    card_present,
    job_id,
    ingestion_type,
    ingested_at
FROM lambda.high_risk_transactions(statement_timestamp() - interval '1 hour', statement_timestamp());

COMMENT ON VIEW lambda.high_risk_last_hour IS 'Transactions of the last hour with a risk_score of 0.8 and more, newest first';

CREATE VIEW lambda.ingest_freshness AS
SELECT
    topic,
    partition,
    next_offset,
    updated_at AS stored_at,
    extract(epoch FROM statement_timestamp() - updated_at)::numeric(12, 1) AS age_seconds,
    last_timestamp AS newest_record_at,
    stored_count,
    duplicate_count,
    dead_letter_count,
    gap_count
FROM lambda.stream_offsets
ORDER BY topic, partition;

COMMENT ON VIEW lambda.ingest_freshness IS 'How far the stream is in each partition, and how long ago it last moved';
COMMENT ON COLUMN lambda.ingest_freshness.stored_at IS 'When the last chunk was stored';
COMMENT ON COLUMN lambda.ingest_freshness.age_seconds IS 'Seconds since then: small while messages arrive';
COMMENT ON COLUMN lambda.ingest_freshness.newest_record_at IS 'Kafka''s time of the last record of that chunk';

GRANT SELECT ON
lambda.stats_today_by_minute,
lambda.stats_by_day_and_category,
lambda.top_accounts_by_day,
lambda.high_risk_last_hour,
lambda.ingest_freshness
TO lambda_reader, lambda_batch;
