-- The lambda layers: what the batch layer knows of whole days, files as jobs, the fate of dead letters.
-- The index on high risks is built under a lock that writers wait for, 1 s for each million stored rows; all else is instant.

-- A recompute begins a new generation while it holds its day's lock: rows of the speed layer that it is about to delete
-- are then never those that a writer adds to.
CREATE SEQUENCE lambda.recompute_generation;

DO $$
BEGIN
    -- Only then does the next call give another number than the one that writers read now.
    PERFORM nextval('lambda.recompute_generation');
END
$$;

ALTER TABLE lambda.speed_stats ADD COLUMN generation bigint NOT NULL DEFAULT 0;

ALTER TABLE lambda.speed_stats DROP CONSTRAINT speed_stats_key;

ALTER TABLE lambda.speed_stats
ADD CONSTRAINT speed_stats_key UNIQUE NULLS NOT DISTINCT (minute, merchant_category, transaction_type, shard, generation);

-- Updated with each chunk: room on the page keeps such updates out of the index.
ALTER TABLE lambda.speed_stats SET (fillfactor = 50);

COMMENT ON COLUMN lambda.speed_stats.generation IS 'How many recomputes had begun when the row was first written';

CREATE TABLE lambda.batch_days (
    day date NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    recomputed_at timestamptz,
    repeated_ids bigint,
    dropped_at timestamptz,
    CONSTRAINT batch_days_pkey PRIMARY KEY (day)
);

COMMENT ON TABLE lambda.batch_days IS 'Each day that was recomputed, closed or dropped';
COMMENT ON COLUMN lambda.batch_days.count IS 'Transactions at the last recompute';
COMMENT ON COLUMN lambda.batch_days.repeated_ids IS
'Transaction ids that occur with another time too, the same day or up to 7 days before; NULL before the day was closed';
COMMENT ON COLUMN lambda.batch_days.dropped_at IS 'When its transactions were dropped by retention: its aggregates stay';

CREATE TABLE lambda.batch_day_stats (
    day date NOT NULL,
    merchant_category text,
    transaction_type text NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    amount_min numeric NOT NULL,
    amount_max numeric NOT NULL,
    risk_sum numeric NOT NULL,
    high_risk_count bigint NOT NULL,
    CONSTRAINT batch_day_stats_key UNIQUE NULLS NOT DISTINCT (day, merchant_category, transaction_type)
);

COMMENT ON TABLE lambda.batch_day_stats IS 'Batch layer: batch_stats by day, written with them';

CREATE TABLE lambda.batch_top_accounts (
    day date NOT NULL,
    rank integer NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    amount_sum numeric NOT NULL,
    CONSTRAINT batch_top_accounts_pkey PRIMARY KEY (day, rank)
);

COMMENT ON TABLE lambda.batch_top_accounts IS 'Batch layer: the hundred accounts of a day with the largest sum, as of its last recompute';

-- Files from source systems are jobs too: one for each content.
ALTER TABLE lambda.batch_jobs
ADD COLUMN file text,
ADD COLUMN content_hash bytea,
ADD COLUMN header text[],
ADD CONSTRAINT batch_jobs_file_check CHECK ((file IS NULL) = (content_hash IS NULL));

ALTER TABLE lambda.batch_jobs DROP CONSTRAINT batch_jobs_source_business_date_key;

CREATE UNIQUE INDEX batch_jobs_source_business_date_key ON lambda.batch_jobs (source, business_date) WHERE file IS NULL;

CREATE UNIQUE INDEX batch_jobs_content_hash_key ON lambda.batch_jobs (content_hash);

COMMENT ON TABLE lambda.batch_jobs IS 'The jobs of the batch: one for each source and business date, and one for each content of a file';
COMMENT ON COLUMN lambda.batch_jobs.content_hash IS 'SHA-256 of the file';
COMMENT ON COLUMN lambda.batch_jobs.header IS 'Columns of the file, so that its dead letters can be read again';

ALTER TABLE lambda.dead_letters
ADD COLUMN job_id text,
ADD COLUMN resolution text,
ADD CONSTRAINT dead_letters_resolution_check CHECK (
    resolution IN ('stored', 'duplicate', 'discarded') AND (resolution IS NULL) = (resolved_at IS NULL)
);

COMMENT ON COLUMN lambda.dead_letters.job_id IS 'The job of batch_jobs that met it; NULL for a message of the stream';
COMMENT ON COLUMN lambda.dead_letters.resolution IS 'What became of it in the end; NULL as long as it is open';

CREATE INDEX dead_letters_open_idx ON lambda.dead_letters (id) WHERE resolved_at IS NULL;

-- The view high_risk_last_hour reads it.
CREATE INDEX transactions_high_risk_idx ON lambda.transactions (event_time) WHERE risk_score >= 0.8;

GRANT SELECT, USAGE ON SEQUENCE lambda.recompute_generation TO lambda_batch;

GRANT SELECT ON SEQUENCE lambda.recompute_generation TO lambda_stream, lambda_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON lambda.batch_days, lambda.batch_day_stats, lambda.batch_top_accounts TO lambda_batch;

GRANT UPDATE (resolved_at, resolution) ON lambda.dead_letters TO lambda_batch;

GRANT SELECT ON lambda.batch_days, lambda.batch_day_stats, lambda.batch_top_accounts TO lambda_reader;
