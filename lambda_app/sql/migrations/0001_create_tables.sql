-- The schema of the platform: master data, jobs, positions, dead letters, the two stats tables and the view over them.
-- Runs on an empty database; takes no lock that anyone could wait for. The roles exist already, made by the installation.

CREATE SCHEMA IF NOT EXISTS lambda;

COMMENT ON SCHEMA lambda IS 'The Lambda data platform';

-- The master data set: append only. Time comes first in the key, so that inserts stay on the index's right edge.
CREATE TABLE lambda.transactions (
    job_id text,
    transaction_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    transaction_type text NOT NULL,
    amount numeric(12, 2) NOT NULL,
    event_time timestamptz NOT NULL,
    merchant_category text,
    location text,
    card_present boolean,
    risk_score numeric(4, 2),
    ingestion_type text NOT NULL,
    ingested_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transactions_pkey PRIMARY KEY (event_time, transaction_id),
    CONSTRAINT transactions_ingestion_type_check CHECK (ingestion_type IN ('STREAM', 'BATCH'))
) PARTITION BY RANGE (event_time);

COMMENT ON TABLE lambda.transactions IS 'Master data set: every valid transaction exactly once, a partition per day of event_time';

CREATE TABLE lambda.batch_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    job_id text GENERATED ALWAYS AS ('BAT' || CASE WHEN id < 100000 THEN lpad(id::text, 5, '0') ELSE id::text END) STORED,
    business_date date NOT NULL,
    source text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    rows_read bigint,
    rows_loaded bigint,
    rows_duplicate bigint,
    rows_rejected bigint,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT batch_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT batch_jobs_job_id_key UNIQUE (job_id),
    CONSTRAINT batch_jobs_source_business_date_key UNIQUE (source, business_date),
    CONSTRAINT batch_jobs_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed'))
);

COMMENT ON TABLE lambda.batch_jobs IS 'The nightly jobs: one per source and business date, whatever happens';

-- The only truth about what was consumed. Moves by compare-and-set in the transaction that writes the rows.
CREATE TABLE lambda.stream_offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    next_offset bigint NOT NULL,
    leader_epoch integer,
    last_timestamp timestamptz,
    last_hash bytea,
    stored_count bigint NOT NULL DEFAULT 0,
    duplicate_count bigint NOT NULL DEFAULT 0,
    dead_letter_count bigint NOT NULL DEFAULT 0,
    gap_count bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stream_offsets_pkey PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

COMMENT ON COLUMN lambda.stream_offsets.last_hash IS 'Fingerprint of the record before next_offset: hash of its key and value';
COMMENT ON COLUMN lambda.stream_offsets.gap_count IS 'Offsets that could not be read; each gap is a row of stream_gaps';

CREATE TABLE lambda.stream_gaps (
    id bigint GENERATED ALWAYS AS IDENTITY,
    topic text NOT NULL,
    topic_id uuid,
    partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint,
    reason text NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stream_gaps_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE lambda.stream_gaps IS 'What the broker no longer had when we came to read it: [from_offset, to_offset), NULL for unknown';

CREATE TABLE lambda.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY,
    topic text,
    topic_id uuid,
    partition integer,
    "offset" bigint,
    file text,
    line bigint,
    raw bytea,
    reason text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id),
    CONSTRAINT dead_letters_origin_check CHECK (
        (topic IS NOT NULL AND partition IS NOT NULL AND "offset" IS NOT NULL AND file IS NULL AND line IS NULL)
        OR (topic IS NULL AND partition IS NULL AND "offset" IS NULL AND file IS NOT NULL AND line IS NOT NULL)
    )
);

-- A log that is read again leaves no second letter for one message.
CREATE UNIQUE INDEX dead_letters_origin_idx ON lambda.dead_letters (topic, topic_id, partition, "offset", sha256(raw))
NULLS NOT DISTINCT WHERE topic IS NOT NULL;

COMMENT ON TABLE lambda.dead_letters IS 'Every message or line that was not valid, with the reason; raw is NULL for a null value';

CREATE TABLE lambda.speed_stats (
    shard integer NOT NULL,
    minute timestamptz NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL,
    CONSTRAINT speed_stats_key UNIQUE NULLS NOT DISTINCT (minute, merchant_category, transaction_type, shard)
);

COMMENT ON TABLE lambda.speed_stats IS 'Speed layer: aggregates of the rows not yet recomputed, a shard per writer';

CREATE TABLE lambda.batch_stats (
    minute timestamptz NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL,
    CONSTRAINT batch_stats_key UNIQUE NULLS NOT DISTINCT (minute, merchant_category, transaction_type)
);

COMMENT ON TABLE lambda.batch_stats IS 'Batch layer: the recomputed truth of closed days';

CREATE VIEW lambda.transaction_stats AS
SELECT
    minute,
    merchant_category,
    transaction_type,
    sum(count)::bigint AS count,
    sum(amount_sum) AS amount_sum,
    min(amount_min) AS amount_min,
    max(amount_max) AS amount_max,
    sum(risk_sum) AS risk_sum,
    sum(high_risk_count)::bigint AS high_risk_count
FROM (
    SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
    FROM lambda.batch_stats
    UNION ALL
    SELECT minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
    FROM lambda.speed_stats
) AS layers
GROUP BY minute, merchant_category, transaction_type;

COMMENT ON VIEW lambda.transaction_stats IS 'Serving layer: batch_stats and speed_stats combined, right at every moment';

-- The zone that cuts the days: the database's setting, not the session's, which any client may change.
CREATE FUNCTION lambda.time_zone() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (
            SELECT split_part(entry, '=', 2)
            FROM pg_db_role_setting AS s
            JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
            CROSS JOIN LATERAL unnest(s.setconfig) AS entry
            WHERE s.setrole = 0 AND lower(split_part(entry, '=', 1)) = 'timezone'
        ),
        'UTC'
    )
$$;

-- The bounds of a day's partition, null without one.
CREATE FUNCTION lambda.partition_bounds(day date, OUT lower_bound timestamptz, OUT upper_bound timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bounds[1]::timestamptz, bounds[2]::timestamptz
    FROM pg_class AS c
    CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.*)'\) TO \('(.*)'\)$re$) AS bounds
    WHERE c.relnamespace = 'lambda'::regnamespace AND c.relname = 'transactions_' || to_char(day, 'YYYYMMDD')
$$;

-- Makes the partition of a day; true when it was missing. Writers go on: the table is made apart and attached under
-- a lock that only other makers of partitions wait for.
CREATE FUNCTION lambda.ensure_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    partition_name text := 'transactions_' || to_char(day, 'YYYYMMDD');
    starts_at timestamptz := day::timestamp AT TIME ZONE lambda.time_zone();
    ends_at timestamptz := (day + 1)::timestamp AT TIME ZONE lambda.time_zone();
BEGIN
    IF day IS NULL OR day < DATE '1999-12-31' OR day > (now() AT TIME ZONE 'UTC')::date + 3 THEN
        RAISE EXCEPTION 'no partition for %: transactions are from 2000-01-01 to one day ahead', day
            USING ERRCODE = 'check_violation';
    END IF;
    IF to_regclass('lambda.' || partition_name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Class 1: makers of partitions.
    PERFORM pg_advisory_xact_lock(1, 0);
    -- By a query: to_regclass may still remember that the table was missing before the wait.
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'lambda'::regnamespace) THEN
        RETURN false;
    END IF;
    -- Neighbours may have been cut in another time zone: a day takes what they leave, all of it and no more.
    SELECT coalesce(next_to.upper_bound, greatest(starts_at, farther.upper_bound)) INTO starts_at
    FROM lambda.partition_bounds(day - 1) AS next_to, lambda.partition_bounds(day - 2) AS farther;
    SELECT coalesce(next_to.lower_bound, least(ends_at, farther.lower_bound)) INTO ends_at
    FROM lambda.partition_bounds(day + 1) AS next_to, lambda.partition_bounds(day + 2) AS farther;
    IF starts_at >= ends_at THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE lambda.%I (LIKE lambda.transactions INCLUDING ALL)', partition_name);
    EXECUTE format(
        'ALTER TABLE lambda.transactions ATTACH PARTITION lambda.%I FOR VALUES FROM (%L) TO (%L)',
        partition_name, starts_at, ends_at
    );
    EXECUTE format('GRANT SELECT, INSERT ON lambda.%I TO lambda_stream, lambda_batch', partition_name);
    EXECUTE format('GRANT SELECT ON lambda.%I TO lambda_reader', partition_name);
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION lambda.ensure_partition(date) FROM PUBLIC;

-- Each program can do its own job and no more.
GRANT USAGE ON SCHEMA lambda TO lambda_stream, lambda_batch, lambda_reader;

GRANT EXECUTE ON FUNCTION lambda.ensure_partition(date) TO lambda_stream, lambda_batch;

GRANT SELECT, INSERT ON lambda.transactions, lambda.dead_letters TO lambda_stream, lambda_batch;

GRANT SELECT, INSERT, UPDATE ON lambda.stream_offsets TO lambda_stream;

GRANT SELECT, INSERT ON lambda.stream_gaps TO lambda_stream;

GRANT SELECT, INSERT, UPDATE ON lambda.batch_jobs TO lambda_batch;

GRANT SELECT, INSERT, UPDATE ON lambda.speed_stats TO lambda_stream;

GRANT SELECT, INSERT, UPDATE, DELETE ON lambda.speed_stats, lambda.batch_stats TO lambda_batch;

GRANT SELECT ON lambda.transaction_stats TO lambda_stream, lambda_batch;

GRANT SELECT ON lambda.stream_offsets TO lambda_batch;

GRANT SELECT ON ALL TABLES IN SCHEMA lambda TO lambda_reader;

-- A chunk with duplicates goes by a temporary table.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO lambda_stream, lambda_batch', current_database());
END
$$;
