--
-- PostgreSQL database dump
--

--
-- Name: lambda; Type: SCHEMA; Schema: -; Owner: lambda_owner
--

CREATE SCHEMA lambda;

ALTER SCHEMA lambda OWNER TO lambda_owner;

--
-- Name: SCHEMA lambda; Type: COMMENT; Schema: -; Owner: lambda_owner
--

COMMENT ON SCHEMA lambda IS 'The Lambda data platform';

--
-- Name: assign_shard(text); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.assign_shard(member_name text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    assigned integer;
BEGIN
    SELECT s.shard INTO assigned FROM lambda.speed_shards AS s WHERE s.member = member_name;
    IF NOT FOUND THEN
        -- Updated to what it is when another session was faster, so that its number is returned.
        INSERT INTO lambda.speed_shards AS s (member) VALUES (member_name)
        ON CONFLICT (member) DO UPDATE SET member = excluded.member
        RETURNING s.shard INTO assigned;
    END IF;
    RETURN assigned;
END
$$;

ALTER FUNCTION lambda.assign_shard(member_name text) OWNER TO lambda_owner;

--
-- Name: count_transactions(timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.count_transactions(starts timestamp with time zone, ends timestamp with time zone, OUT minute timestamp with time zone, OUT merchant_category text, OUT transaction_type text, OUT count bigint, OUT amount_sum numeric, OUT amount_min numeric, OUT amount_max numeric, OUT risk_sum numeric, OUT high_risk_count bigint) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

ALTER FUNCTION lambda.count_transactions(starts timestamp with time zone, ends timestamp with time zone, OUT minute timestamp with time zone, OUT merchant_category text, OUT transaction_type text, OUT count bigint, OUT amount_sum numeric, OUT amount_min numeric, OUT amount_max numeric, OUT risk_sum numeric, OUT high_risk_count bigint) OWNER TO lambda_owner;

--
-- Name: day_start(date); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.day_start(day date) RETURNS timestamp with time zone
    LANGUAGE sql STABLE COST 10000
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH zone AS MATERIALIZED (SELECT lambda.time_zone() AS name)
    SELECT min(moment)
    FROM
        zone,
        LATERAL (SELECT day::timestamp AT TIME ZONE zone.name AS last) AS midnight,
        generate_series(midnight.last - interval '2 hours', midnight.last, interval '15 minutes') AS moment
    WHERE (moment AT TIME ZONE zone.name)::date >= day
$$;

ALTER FUNCTION lambda.day_start(day date) OWNER TO lambda_owner;

--
-- Name: ensure_partition(date); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.ensure_partition(day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION lambda.ensure_partition(day date) OWNER TO lambda_owner;

--
-- Name: transactions; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.transactions (
    job_id text,
    transaction_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    transaction_type text NOT NULL,
    amount numeric(12,2) NOT NULL,
    event_time timestamp with time zone NOT NULL,
    merchant_category text,
    location text,
    card_present boolean,
    risk_score numeric(4,2),
    ingestion_type text NOT NULL,
    ingested_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT transactions_ingestion_type_check CHECK ((ingestion_type = ANY (ARRAY['STREAM'::text, 'BATCH'::text])))
)
PARTITION BY RANGE (event_time);

ALTER TABLE lambda.transactions OWNER TO lambda_owner;

--
-- Name: TABLE transactions; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.transactions IS 'Master data set: every valid transaction exactly once, a partition per day of event_time';

--
-- Name: high_risk_transactions(timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.high_risk_transactions(after timestamp with time zone, until timestamp with time zone) RETURNS SETOF lambda.transactions
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    RETURN QUERY EXECUTE
        'SELECT * FROM lambda.transactions WHERE risk_score >= 0.8 AND event_time > $1 AND event_time <= $2 ORDER BY event_time DESC'
        USING after, until;
END
$_$;

ALTER FUNCTION lambda.high_risk_transactions(after timestamp with time zone, until timestamp with time zone) OWNER TO lambda_owner;

--
-- Name: partition_bounds(date); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.partition_bounds(day date, OUT lower_bound timestamp with time zone, OUT upper_bound timestamp with time zone) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT bounds[1]::timestamptz, bounds[2]::timestamptz
    FROM pg_class AS c
    CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.*)'\) TO \('(.*)'\)$re$) AS bounds
    WHERE c.relnamespace = 'lambda'::regnamespace AND c.relname = 'transactions_' || to_char(day, 'YYYYMMDD')
$_$;

ALTER FUNCTION lambda.partition_bounds(day date, OUT lower_bound timestamp with time zone, OUT upper_bound timestamp with time zone) OWNER TO lambda_owner;

--
-- Name: time_zone(); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.time_zone() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
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

ALTER FUNCTION lambda.time_zone() OWNER TO lambda_owner;

--
-- Name: today(); Type: FUNCTION; Schema: lambda; Owner: lambda_owner
--

CREATE FUNCTION lambda.today() RETURNS date
    LANGUAGE sql STABLE COST 10000
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ SELECT (statement_timestamp() AT TIME ZONE lambda.time_zone())::date $$;

ALTER FUNCTION lambda.today() OWNER TO lambda_owner;

--
-- Name: total(bigint); Type: AGGREGATE; Schema: lambda; Owner: lambda_owner
--

CREATE AGGREGATE lambda.total(bigint) (
    SFUNC = int8pl,
    STYPE = bigint,
    COMBINEFUNC = int8pl,
    PARALLEL = safe
);

ALTER AGGREGATE lambda.total(bigint) OWNER TO lambda_owner;

--
-- Name: AGGREGATE total(bigint); Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON AGGREGATE lambda.total(bigint) IS 'sum() for groups of few values';

--
-- Name: total(numeric); Type: AGGREGATE; Schema: lambda; Owner: lambda_owner
--

CREATE AGGREGATE lambda.total(numeric) (
    SFUNC = numeric_add,
    STYPE = numeric,
    COMBINEFUNC = numeric_add,
    PARALLEL = safe
);

ALTER AGGREGATE lambda.total(numeric) OWNER TO lambda_owner;

--
-- Name: AGGREGATE total(numeric); Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON AGGREGATE lambda.total(numeric) IS 'sum() for groups of few values';

--
-- Name: batch_day_stats; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.batch_day_stats (
    day date NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL
);

ALTER TABLE lambda.batch_day_stats OWNER TO lambda_owner;

--
-- Name: TABLE batch_day_stats; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.batch_day_stats IS 'Batch layer: batch_stats by day, written with them';

--
-- Name: batch_days; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.batch_days (
    day date NOT NULL,
    count bigint DEFAULT 0 NOT NULL,
    recomputed_at timestamp with time zone,
    repeated_ids bigint,
    dropped_at timestamp with time zone,
    closed_at timestamp with time zone
);

ALTER TABLE lambda.batch_days OWNER TO lambda_owner;

--
-- Name: TABLE batch_days; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.batch_days IS 'Each day that was recomputed, closed or dropped';

--
-- Name: COLUMN batch_days.count; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_days.count IS 'Transactions at the last recompute';

--
-- Name: COLUMN batch_days.repeated_ids; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_days.repeated_ids IS 'Transaction ids that occur with another time too, the same day or up to 7 days before; NULL before the day was closed';

--
-- Name: COLUMN batch_days.dropped_at; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_days.dropped_at IS 'When its transactions were dropped by retention: its aggregates stay';

--
-- Name: COLUMN batch_days.closed_at; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_days.closed_at IS 'When repeated_ids was last counted';

--
-- Name: batch_jobs; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.batch_jobs (
    id bigint NOT NULL,
    job_id text GENERATED ALWAYS AS (('BAT'::text ||
CASE
    WHEN (id < 100000) THEN lpad((id)::text, 5, '0'::text)
    ELSE (id)::text
END)) STORED,
    business_date date NOT NULL,
    source text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    rows_read bigint,
    rows_loaded bigint,
    rows_duplicate bigint,
    rows_rejected bigint,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    file text,
    content_hash bytea,
    header text[],
    file_bytes bigint,
    delimiter text DEFAULT ','::text NOT NULL,
    continued_by text,
    CONSTRAINT batch_jobs_file_check CHECK (((file IS NOT NULL) OR (content_hash IS NULL))),
    CONSTRAINT batch_jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'completed'::text, 'failed'::text])))
);

ALTER TABLE lambda.batch_jobs OWNER TO lambda_owner;

--
-- Name: TABLE batch_jobs; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.batch_jobs IS 'The jobs of the batch: one for each source and business date, and one for each content of a file';

--
-- Name: COLUMN batch_jobs.content_hash; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_jobs.content_hash IS 'SHA-256 of the file; NULL for an entry of the inbox that could not be read';

--
-- Name: COLUMN batch_jobs.header; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_jobs.header IS 'Columns of the file, so that its dead letters can be read again';

--
-- Name: COLUMN batch_jobs.file_bytes; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_jobs.file_bytes IS 'Size of the file when it was registered';

--
-- Name: COLUMN batch_jobs.delimiter; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_jobs.delimiter IS 'Character between the fields of the file';

--
-- Name: COLUMN batch_jobs.continued_by; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.batch_jobs.continued_by IS 'The job of the content that the file had later, when it changed after this job';

--
-- Name: batch_jobs_id_seq; Type: SEQUENCE; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE lambda.batch_jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lambda.batch_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: batch_stats; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.batch_stats (
    minute timestamp with time zone NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL
);

ALTER TABLE lambda.batch_stats OWNER TO lambda_owner;

--
-- Name: TABLE batch_stats; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.batch_stats IS 'Batch layer: the recomputed truth of closed days';

--
-- Name: batch_top_accounts; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.batch_top_accounts (
    day date NOT NULL,
    rank integer NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL,
    amount_sum numeric NOT NULL
);

ALTER TABLE lambda.batch_top_accounts OWNER TO lambda_owner;

--
-- Name: TABLE batch_top_accounts; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.batch_top_accounts IS 'Batch layer: the hundred accounts of a day with the largest sum, as of its last recompute';

--
-- Name: dead_letters; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.dead_letters (
    id bigint NOT NULL,
    topic text,
    topic_id uuid,
    partition integer,
    "offset" bigint,
    file text,
    line bigint,
    raw bytea,
    reason text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    job_id text,
    resolution text,
    CONSTRAINT dead_letters_origin_check CHECK ((((topic IS NOT NULL) AND (partition IS NOT NULL) AND ("offset" IS NOT NULL) AND (file IS NULL) AND (line IS NULL)) OR ((topic IS NULL) AND (partition IS NULL) AND ("offset" IS NULL) AND (file IS NOT NULL) AND (line IS NOT NULL)))),
    CONSTRAINT dead_letters_resolution_check CHECK (((resolution = ANY (ARRAY['stored'::text, 'duplicate'::text, 'discarded'::text])) AND ((resolution IS NULL) = (resolved_at IS NULL))))
);

ALTER TABLE lambda.dead_letters OWNER TO lambda_owner;

--
-- Name: TABLE dead_letters; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.dead_letters IS 'Every message or line that was not valid, with the reason; raw is NULL for a null value';

--
-- Name: COLUMN dead_letters.job_id; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.dead_letters.job_id IS 'The job of batch_jobs that met it; NULL for a message of the stream';

--
-- Name: COLUMN dead_letters.resolution; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.dead_letters.resolution IS 'What became of it in the end; NULL as long as it is open';

--
-- Name: dead_letters_id_seq; Type: SEQUENCE; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE lambda.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lambda.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: high_risk_last_hour; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.high_risk_last_hour AS
 SELECT high_risk_transactions.event_time,
    high_risk_transactions.transaction_id,
    high_risk_transactions.account_id,
    high_risk_transactions.transaction_type,
    high_risk_transactions.amount,
    high_risk_transactions.risk_score,
    high_risk_transactions.merchant_category,
    high_risk_transactions.location,
    high_risk_transactions.card_present,
    high_risk_transactions.job_id,
    high_risk_transactions.ingestion_type,
    high_risk_transactions.ingested_at
   FROM lambda.high_risk_transactions((statement_timestamp() - '01:00:00'::interval), statement_timestamp()) high_risk_transactions(job_id, transaction_id, account_id, transaction_type, amount, event_time, merchant_category, location, card_present, risk_score, ingestion_type, ingested_at);

ALTER TABLE lambda.high_risk_last_hour OWNER TO lambda_owner;

--
-- Name: VIEW high_risk_last_hour; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.high_risk_last_hour IS 'Transactions of the last hour with a risk_score of 0.8 and more, newest first';

--
-- Name: stream_offsets; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.stream_offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    next_offset bigint NOT NULL,
    leader_epoch integer,
    last_timestamp timestamp with time zone,
    last_hash bytea,
    stored_count bigint DEFAULT 0 NOT NULL,
    duplicate_count bigint DEFAULT 0 NOT NULL,
    dead_letter_count bigint DEFAULT 0 NOT NULL,
    gap_count bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    rewound_count bigint DEFAULT 0 NOT NULL,
    skipped_count bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE lambda.stream_offsets OWNER TO lambda_owner;

--
-- Name: COLUMN stream_offsets.last_hash; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.stream_offsets.last_hash IS 'Fingerprint of the record before next_offset: hash of its key and value';

--
-- Name: COLUMN stream_offsets.duplicate_count; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.stream_offsets.duplicate_count IS 'Messages that were stored, or kept as a dead letter, already';

--
-- Name: COLUMN stream_offsets.gap_count; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.stream_offsets.gap_count IS 'Offsets that could not be read; each gap is a row of stream_gaps';

--
-- Name: COLUMN stream_offsets.rewound_count; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.stream_offsets.rewound_count IS 'Offsets that next_offset was moved back by in all, to read a log that was cut off, or a topic made anew';

--
-- Name: COLUMN stream_offsets.skipped_count; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.stream_offsets.skipped_count IS 'Offsets without a message for us: ends of transactions, aborted messages, what compaction removed';

--
-- Name: ingest_freshness; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.ingest_freshness AS
 SELECT stream_offsets.topic,
    stream_offsets.partition,
    stream_offsets.next_offset,
    stream_offsets.updated_at AS stored_at,
    (EXTRACT(epoch FROM (statement_timestamp() - stream_offsets.updated_at)))::numeric(12,1) AS age_seconds,
    stream_offsets.last_timestamp AS newest_record_at,
    stream_offsets.stored_count,
    stream_offsets.duplicate_count,
    stream_offsets.dead_letter_count,
    stream_offsets.gap_count
   FROM lambda.stream_offsets
  ORDER BY stream_offsets.topic, stream_offsets.partition;

ALTER TABLE lambda.ingest_freshness OWNER TO lambda_owner;

--
-- Name: VIEW ingest_freshness; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.ingest_freshness IS 'How far the stream is in each partition, and how long ago it last moved';

--
-- Name: COLUMN ingest_freshness.stored_at; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.ingest_freshness.stored_at IS 'When the last chunk was stored';

--
-- Name: COLUMN ingest_freshness.age_seconds; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.ingest_freshness.age_seconds IS 'Seconds since then: small while messages arrive';

--
-- Name: COLUMN ingest_freshness.newest_record_at; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.ingest_freshness.newest_record_at IS 'Kafka''s time of the last record of that chunk';

--
-- Name: recompute_generation; Type: SEQUENCE; Schema: lambda; Owner: lambda_owner
--

CREATE SEQUENCE lambda.recompute_generation
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER TABLE lambda.recompute_generation OWNER TO lambda_owner;

--
-- Name: speed_shards; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.speed_shards (
    shard integer NOT NULL,
    member text NOT NULL,
    assigned_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE lambda.speed_shards OWNER TO lambda_owner;

--
-- Name: TABLE speed_shards; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.speed_shards IS 'Which member of the consumer group writes which shard of speed_stats; the batch writes 0, a retry -1';

--
-- Name: speed_shards_shard_seq; Type: SEQUENCE; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE lambda.speed_shards ALTER COLUMN shard ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lambda.speed_shards_shard_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: speed_stats; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.speed_stats (
    shard integer NOT NULL,
    minute timestamp with time zone NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL,
    generation bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE lambda.speed_stats OWNER TO lambda_owner;

--
-- Name: TABLE speed_stats; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.speed_stats IS 'Speed layer: aggregates of the rows not yet recomputed, a shard per writer';

--
-- Name: COLUMN speed_stats.generation; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON COLUMN lambda.speed_stats.generation IS 'How many recomputes had begun when the row was first written';

--
-- Name: uncounted_minutes; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.uncounted_minutes (
    minute timestamp with time zone NOT NULL
);

ALTER TABLE lambda.uncounted_minutes OWNER TO lambda_owner;

--
-- Name: TABLE uncounted_minutes; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.uncounted_minutes IS 'Speed layer: minutes of which some transactions have no aggregates yet; a minute may stand there more than once';

--
-- Name: stats_by_day_and_category; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.stats_by_day_and_category AS
 WITH uncounted_days AS MATERIALIZED (
         SELECT DISTINCT ((uncounted_minutes.minute AT TIME ZONE ( SELECT lambda.time_zone() AS time_zone)))::date AS day
           FROM lambda.uncounted_minutes
        ), speed_day_stats AS MATERIALIZED (
         SELECT ((speed_stats.minute AT TIME ZONE ( SELECT lambda.time_zone() AS time_zone)))::date AS day,
            speed_stats.merchant_category,
            sum(speed_stats.count) AS count,
            sum(speed_stats.amount_sum) AS amount_sum,
            sum(speed_stats.high_risk_count) AS high_risk_count
           FROM lambda.speed_stats
          GROUP BY (((speed_stats.minute AT TIME ZONE ( SELECT lambda.time_zone() AS time_zone)))::date), speed_stats.merchant_category
        )
 SELECT layers.day,
    layers.merchant_category,
    (sum(layers.count))::bigint AS count,
    sum(layers.amount_sum) AS amount_sum,
    round((sum(layers.amount_sum) / sum(layers.count)), 2) AS amount_avg,
    (sum(layers.high_risk_count))::bigint AS high_risk_count
   FROM ( SELECT batch_day_stats.day,
            batch_day_stats.merchant_category,
            batch_day_stats.count,
            batch_day_stats.amount_sum,
            batch_day_stats.high_risk_count
           FROM lambda.batch_day_stats
          WHERE (NOT (batch_day_stats.day IN ( SELECT uncounted_days.day
                   FROM uncounted_days)))
        UNION ALL
         SELECT speed_day_stats.day,
            speed_day_stats.merchant_category,
            speed_day_stats.count,
            speed_day_stats.amount_sum,
            speed_day_stats.high_risk_count
           FROM speed_day_stats
          WHERE (NOT (speed_day_stats.day IN ( SELECT uncounted_days.day
                   FROM uncounted_days)))
        UNION ALL
         SELECT uncounted_days.day,
            count_transactions.merchant_category,
            count_transactions.count,
            count_transactions.amount_sum,
            count_transactions.high_risk_count
           FROM (uncounted_days
             CROSS JOIN LATERAL lambda.count_transactions(lambda.day_start(uncounted_days.day), lambda.day_start((uncounted_days.day + 1))) count_transactions(minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count))) layers
  GROUP BY layers.day, layers.merchant_category
  ORDER BY layers.day DESC, layers.merchant_category;

ALTER TABLE lambda.stats_by_day_and_category OWNER TO lambda_owner;

--
-- Name: VIEW stats_by_day_and_category; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.stats_by_day_and_category IS 'All transactions by day and merchant category, newest day first, right at every moment';

--
-- Name: stats_today_by_minute; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.stats_today_by_minute AS
 SELECT layers.minute,
    (sum(layers.count))::bigint AS count,
    sum(layers.amount_sum) AS amount_sum,
    round((sum(layers.amount_sum) / sum(layers.count)), 2) AS amount_avg,
    (sum(layers.high_risk_count))::bigint AS high_risk_count
   FROM ( SELECT b.minute,
            b.count,
            b.amount_sum,
            b.high_risk_count
           FROM lambda.batch_stats b
          WHERE ((NOT ( SELECT (EXISTS ( SELECT
                           FROM lambda.uncounted_minutes)) AS "exists")) OR (NOT (EXISTS ( SELECT
                   FROM lambda.uncounted_minutes u
                  WHERE (u.minute = b.minute)))))
        UNION ALL
         SELECT s.minute,
            s.count,
            s.amount_sum,
            s.high_risk_count
           FROM lambda.speed_stats s
          WHERE ((NOT ( SELECT (EXISTS ( SELECT
                           FROM lambda.uncounted_minutes)) AS "exists")) OR (NOT (EXISTS ( SELECT
                   FROM lambda.uncounted_minutes u
                  WHERE (u.minute = s.minute)))))
        UNION ALL
         SELECT uncounted.minute,
            count_transactions.count,
            count_transactions.amount_sum,
            count_transactions.high_risk_count
           FROM (( SELECT DISTINCT uncounted_minutes.minute
                   FROM lambda.uncounted_minutes) uncounted
             CROSS JOIN LATERAL lambda.count_transactions(uncounted.minute, (uncounted.minute + '00:01:00'::interval)) count_transactions(minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count))) layers
  WHERE ((layers.minute >= ( SELECT lambda.day_start(lambda.today()) AS day_start)) AND (layers.minute < ( SELECT lambda.day_start((lambda.today() + 1)) AS day_start)))
  GROUP BY layers.minute
  ORDER BY layers.minute DESC;

ALTER TABLE lambda.stats_today_by_minute OWNER TO lambda_owner;

--
-- Name: VIEW stats_today_by_minute; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.stats_today_by_minute IS 'Today''s transactions by minute of event_time, newest first; the day is that of the platform''s time zone';

--
-- Name: stream_gaps; Type: TABLE; Schema: lambda; Owner: lambda_owner
--

CREATE TABLE lambda.stream_gaps (
    id bigint NOT NULL,
    topic text NOT NULL,
    topic_id uuid,
    partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint,
    reason text NOT NULL,
    noticed_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE lambda.stream_gaps OWNER TO lambda_owner;

--
-- Name: TABLE stream_gaps; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON TABLE lambda.stream_gaps IS 'What the broker no longer had when we came to read it: [from_offset, to_offset), NULL for unknown';

--
-- Name: stream_gaps_id_seq; Type: SEQUENCE; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE lambda.stream_gaps ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME lambda.stream_gaps_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: top_accounts_by_day; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.top_accounts_by_day AS
 SELECT t.day,
    t.rank,
    t.account_id,
    t.count,
    t.amount_sum,
    d.recomputed_at
   FROM (lambda.batch_top_accounts t
     JOIN lambda.batch_days d USING (day))
  ORDER BY t.day DESC, t.rank;

ALTER TABLE lambda.top_accounts_by_day OWNER TO lambda_owner;

--
-- Name: VIEW top_accounts_by_day; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.top_accounts_by_day IS 'The hundred accounts with the largest sum of each recomputed day, newest day first; what came after recomputed_at is not in it';

--
-- Name: transaction_stats; Type: VIEW; Schema: lambda; Owner: lambda_owner
--

CREATE VIEW lambda.transaction_stats AS
 SELECT sorted.minute,
    sorted.merchant_category,
    sorted.transaction_type,
    lambda.total(sorted.count) AS count,
    lambda.total(sorted.amount_sum) AS amount_sum,
    min(sorted.amount_min) AS amount_min,
    max(sorted.amount_max) AS amount_max,
    lambda.total(sorted.risk_sum) AS risk_sum,
    lambda.total(sorted.high_risk_count) AS high_risk_count
   FROM ( SELECT layers.minute,
            layers.merchant_category,
            layers.transaction_type,
            layers.count,
            layers.amount_sum,
            layers.amount_min,
            layers.amount_max,
            layers.risk_sum,
            layers.high_risk_count
           FROM ( SELECT b.minute,
                    b.merchant_category,
                    b.transaction_type,
                    b.count,
                    b.amount_sum,
                    b.amount_min,
                    b.amount_max,
                    b.risk_sum,
                    b.high_risk_count
                   FROM lambda.batch_stats b
                  WHERE ((NOT ( SELECT (EXISTS ( SELECT
                                   FROM lambda.uncounted_minutes)) AS "exists")) OR (NOT (EXISTS ( SELECT
                           FROM lambda.uncounted_minutes u
                          WHERE (u.minute = b.minute)))))
                UNION ALL
                 SELECT s.minute,
                    s.merchant_category,
                    s.transaction_type,
                    s.count,
                    s.amount_sum,
                    s.amount_min,
                    s.amount_max,
                    s.risk_sum,
                    s.high_risk_count
                   FROM lambda.speed_stats s
                  WHERE ((NOT ( SELECT (EXISTS ( SELECT
                                   FROM lambda.uncounted_minutes)) AS "exists")) OR (NOT (EXISTS ( SELECT
                           FROM lambda.uncounted_minutes u
                          WHERE (u.minute = s.minute)))))
                UNION ALL
                 SELECT uncounted.minute,
                    count_transactions.merchant_category,
                    count_transactions.transaction_type,
                    count_transactions.count,
                    count_transactions.amount_sum,
                    count_transactions.amount_min,
                    count_transactions.amount_max,
                    count_transactions.risk_sum,
                    count_transactions.high_risk_count
                   FROM (( SELECT DISTINCT uncounted_minutes.minute
                           FROM lambda.uncounted_minutes) uncounted
                     CROSS JOIN LATERAL lambda.count_transactions(uncounted.minute, (uncounted.minute + '00:01:00'::interval)) count_transactions(minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count))) layers
          ORDER BY layers.minute, layers.merchant_category, layers.transaction_type) sorted
  GROUP BY sorted.minute, sorted.merchant_category, sorted.transaction_type;

ALTER TABLE lambda.transaction_stats OWNER TO lambda_owner;

--
-- Name: VIEW transaction_stats; Type: COMMENT; Schema: lambda; Owner: lambda_owner
--

COMMENT ON VIEW lambda.transaction_stats IS 'Serving layer: batch_stats, speed_stats and what is not counted yet combined, right at every moment';

--
-- Name: batch_day_stats batch_day_stats_key; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_day_stats
    ADD CONSTRAINT batch_day_stats_key UNIQUE NULLS NOT DISTINCT (day, merchant_category, transaction_type);

--
-- Name: batch_days batch_days_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_days
    ADD CONSTRAINT batch_days_pkey PRIMARY KEY (day);

--
-- Name: batch_jobs batch_jobs_job_id_key; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_jobs
    ADD CONSTRAINT batch_jobs_job_id_key UNIQUE (job_id);

--
-- Name: batch_jobs batch_jobs_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_jobs
    ADD CONSTRAINT batch_jobs_pkey PRIMARY KEY (id);

--
-- Name: batch_stats batch_stats_key; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_stats
    ADD CONSTRAINT batch_stats_key UNIQUE NULLS NOT DISTINCT (minute, merchant_category, transaction_type);

--
-- Name: batch_top_accounts batch_top_accounts_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.batch_top_accounts
    ADD CONSTRAINT batch_top_accounts_pkey PRIMARY KEY (day, rank);

--
-- Name: dead_letters dead_letters_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

--
-- Name: speed_shards speed_shards_member_key; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.speed_shards
    ADD CONSTRAINT speed_shards_member_key UNIQUE (member);

--
-- Name: speed_shards speed_shards_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.speed_shards
    ADD CONSTRAINT speed_shards_pkey PRIMARY KEY (shard);

--
-- Name: speed_stats speed_stats_key; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.speed_stats
    ADD CONSTRAINT speed_stats_key UNIQUE NULLS NOT DISTINCT (minute, merchant_category, transaction_type, shard, generation);

--
-- Name: stream_gaps stream_gaps_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.stream_gaps
    ADD CONSTRAINT stream_gaps_pkey PRIMARY KEY (id);

--
-- Name: stream_offsets stream_offsets_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.stream_offsets
    ADD CONSTRAINT stream_offsets_pkey PRIMARY KEY (topic, partition);

--
-- Name: transactions transactions_pkey; Type: CONSTRAINT; Schema: lambda; Owner: lambda_owner
--

ALTER TABLE ONLY lambda.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (event_time, transaction_id);

--
-- Name: batch_jobs_content_hash_key; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE UNIQUE INDEX batch_jobs_content_hash_key ON lambda.batch_jobs USING btree (content_hash);

--
-- Name: batch_jobs_source_business_date_key; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE UNIQUE INDEX batch_jobs_source_business_date_key ON lambda.batch_jobs USING btree (source, business_date) WHERE (file IS NULL);

--
-- Name: dead_letters_open_idx; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE INDEX dead_letters_open_idx ON lambda.dead_letters USING btree (id) WHERE (resolved_at IS NULL);

--
-- Name: dead_letters_origin_idx; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE UNIQUE INDEX dead_letters_origin_idx ON lambda.dead_letters USING btree (topic, topic_id, partition, "offset", sha256(raw)) NULLS NOT DISTINCT WHERE (topic IS NOT NULL);

--
-- Name: transactions_high_risk_idx; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE INDEX transactions_high_risk_idx ON ONLY lambda.transactions USING btree (event_time) WHERE (risk_score >= 0.8);

--
-- Name: uncounted_minutes_minute_idx; Type: INDEX; Schema: lambda; Owner: lambda_owner
--

CREATE INDEX uncounted_minutes_minute_idx ON lambda.uncounted_minutes USING btree (minute);

--
-- Name: SCHEMA lambda; Type: ACL; Schema: -; Owner: lambda_owner
--

GRANT USAGE ON SCHEMA lambda TO lambda_stream;
GRANT USAGE ON SCHEMA lambda TO lambda_batch;
GRANT USAGE ON SCHEMA lambda TO lambda_reader;

--
-- Name: FUNCTION assign_shard(member_name text); Type: ACL; Schema: lambda; Owner: lambda_owner
--

REVOKE ALL ON FUNCTION lambda.assign_shard(member_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION lambda.assign_shard(member_name text) TO lambda_stream;

--
-- Name: FUNCTION ensure_partition(day date); Type: ACL; Schema: lambda; Owner: lambda_owner
--

REVOKE ALL ON FUNCTION lambda.ensure_partition(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION lambda.ensure_partition(day date) TO lambda_stream;
GRANT ALL ON FUNCTION lambda.ensure_partition(day date) TO lambda_batch;

--
-- Name: TABLE transactions; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT ON TABLE lambda.transactions TO lambda_stream;
GRANT SELECT,INSERT ON TABLE lambda.transactions TO lambda_batch;
GRANT SELECT ON TABLE lambda.transactions TO lambda_reader;

--
-- Name: TABLE batch_day_stats; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.batch_day_stats TO lambda_batch;
GRANT SELECT ON TABLE lambda.batch_day_stats TO lambda_reader;
GRANT SELECT,INSERT,DELETE ON TABLE lambda.batch_day_stats TO lambda_stream;

--
-- Name: TABLE batch_days; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.batch_days TO lambda_batch;
GRANT SELECT ON TABLE lambda.batch_days TO lambda_reader;
GRANT SELECT,INSERT,UPDATE ON TABLE lambda.batch_days TO lambda_stream;

--
-- Name: TABLE batch_jobs; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE lambda.batch_jobs TO lambda_batch;
GRANT SELECT ON TABLE lambda.batch_jobs TO lambda_reader;

--
-- Name: TABLE batch_stats; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.batch_stats TO lambda_batch;
GRANT SELECT ON TABLE lambda.batch_stats TO lambda_reader;
GRANT SELECT,INSERT,DELETE ON TABLE lambda.batch_stats TO lambda_stream;

--
-- Name: TABLE batch_top_accounts; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.batch_top_accounts TO lambda_batch;
GRANT SELECT ON TABLE lambda.batch_top_accounts TO lambda_reader;
GRANT SELECT,INSERT,DELETE ON TABLE lambda.batch_top_accounts TO lambda_stream;

--
-- Name: TABLE dead_letters; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT ON TABLE lambda.dead_letters TO lambda_stream;
GRANT SELECT,INSERT ON TABLE lambda.dead_letters TO lambda_batch;
GRANT SELECT ON TABLE lambda.dead_letters TO lambda_reader;

--
-- Name: COLUMN dead_letters.resolved_at; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT UPDATE(resolved_at) ON TABLE lambda.dead_letters TO lambda_batch;

--
-- Name: COLUMN dead_letters.resolution; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT UPDATE(resolution) ON TABLE lambda.dead_letters TO lambda_batch;

--
-- Name: TABLE high_risk_last_hour; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.high_risk_last_hour TO lambda_reader;
GRANT SELECT ON TABLE lambda.high_risk_last_hour TO lambda_batch;

--
-- Name: TABLE stream_offsets; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE lambda.stream_offsets TO lambda_stream;
GRANT SELECT ON TABLE lambda.stream_offsets TO lambda_batch;
GRANT SELECT ON TABLE lambda.stream_offsets TO lambda_reader;

--
-- Name: TABLE ingest_freshness; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.ingest_freshness TO lambda_reader;
GRANT SELECT ON TABLE lambda.ingest_freshness TO lambda_batch;

--
-- Name: SEQUENCE recompute_generation; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,USAGE ON SEQUENCE lambda.recompute_generation TO lambda_batch;
GRANT SELECT,USAGE ON SEQUENCE lambda.recompute_generation TO lambda_stream;
GRANT SELECT ON SEQUENCE lambda.recompute_generation TO lambda_reader;

--
-- Name: TABLE speed_shards; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.speed_shards TO lambda_reader;

--
-- Name: TABLE speed_stats; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.speed_stats TO lambda_stream;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE lambda.speed_stats TO lambda_batch;
GRANT SELECT ON TABLE lambda.speed_stats TO lambda_reader;

--
-- Name: TABLE uncounted_minutes; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE lambda.uncounted_minutes TO lambda_stream;
GRANT SELECT,INSERT,DELETE ON TABLE lambda.uncounted_minutes TO lambda_batch;
GRANT SELECT ON TABLE lambda.uncounted_minutes TO lambda_reader;

--
-- Name: TABLE stats_by_day_and_category; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.stats_by_day_and_category TO lambda_reader;
GRANT SELECT ON TABLE lambda.stats_by_day_and_category TO lambda_batch;

--
-- Name: TABLE stats_today_by_minute; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.stats_today_by_minute TO lambda_reader;
GRANT SELECT ON TABLE lambda.stats_today_by_minute TO lambda_batch;

--
-- Name: TABLE stream_gaps; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT,INSERT ON TABLE lambda.stream_gaps TO lambda_stream;
GRANT SELECT ON TABLE lambda.stream_gaps TO lambda_reader;

--
-- Name: TABLE top_accounts_by_day; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.top_accounts_by_day TO lambda_reader;
GRANT SELECT ON TABLE lambda.top_accounts_by_day TO lambda_batch;

--
-- Name: TABLE transaction_stats; Type: ACL; Schema: lambda; Owner: lambda_owner
--

GRANT SELECT ON TABLE lambda.transaction_stats TO lambda_stream;
GRANT SELECT ON TABLE lambda.transaction_stats TO lambda_batch;
GRANT SELECT ON TABLE lambda.transaction_stats TO lambda_reader;

--
-- PostgreSQL database dump complete
--

