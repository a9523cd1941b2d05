-- ensure_partition --
-- Creates a day's table unless it exists.
SELECT lambda.ensure_partition(%(day)s);

-- hold_partitions --
-- Keeps retention from dropping a day's table until the commit.
LOCK TABLE ONLY lambda.transactions IN ROW EXCLUSIVE MODE;

-- create_chunk_table --
-- The temporary table for a chunk of which some rows may be stored already.
CREATE TEMPORARY TABLE IF NOT EXISTS chunk (
    line bigint GENERATED ALWAYS AS IDENTITY, LIKE lambda.transactions INCLUDING DEFAULTS
) ON COMMIT DELETE ROWS;

-- empty_chunk_table --
-- Empties the temporary table before each chunk of a transaction; lines count from 1 again.
TRUNCATE pg_temp.chunk RESTART IDENTITY;

-- insert_chunk --
-- Stores the rows of the temporary table; of rows with one key only the first. Returns the lines that were not stored.
WITH stored AS (
    INSERT INTO lambda.transactions (
        job_id, transaction_id, account_id, transaction_type, amount, event_time,
        merchant_category, location, card_present, risk_score, ingestion_type, ingested_at
    )
    SELECT
        job_id, transaction_id, account_id, transaction_type, amount, event_time,
        merchant_category, location, card_present, risk_score, ingestion_type, ingested_at
    FROM pg_temp.chunk
    ORDER BY event_time, transaction_id, line
    ON CONFLICT ON CONSTRAINT transactions_pkey DO NOTHING
    RETURNING event_time, transaction_id
),
numbered AS (
    SELECT line, event_time, transaction_id, row_number() OVER (PARTITION BY event_time, transaction_id ORDER BY line) AS nth
    FROM pg_temp.chunk
)
SELECT n.line
FROM numbered AS n
LEFT JOIN stored AS s USING (event_time, transaction_id)
WHERE s.transaction_id IS NULL OR n.nth > 1
ORDER BY n.line;

-- conflicts --
-- Compares the given lines with the stored rows of the same key. Returns the lines whose content differs: their values, then
-- the stored ones, in the order of CONTENT. As a second statement it sees what insert_chunk has just stored. The bounds
-- limit the partitions that are planned for; OFFSET 0 makes PostgreSQL look each row up by its primary key. An empty text
-- equals an absent one, since a file cannot tell them apart. The job_id of a batch row names its job and is not compared.
SELECT
    c.line,
    c.account_id, c.transaction_type, c.amount, nullif(c.merchant_category, ''), nullif(c.location, ''), c.card_present,
    c.risk_score, CASE WHEN s.are_of_stream THEN nullif(c.job_id, '') END,
    s.account_id, s.transaction_type, s.amount, nullif(s.merchant_category, ''), nullif(s.location, ''), s.card_present,
    s.risk_score, CASE WHEN s.are_of_stream THEN nullif(s.job_id, '') END
FROM pg_temp.chunk AS c
CROSS JOIN LATERAL (
    SELECT t.*, 'BATCH' NOT IN (c.ingestion_type, t.ingestion_type) AS are_of_stream
    FROM lambda.transactions AS t
    WHERE t.event_time = c.event_time AND t.transaction_id = c.transaction_id
        AND t.event_time BETWEEN %(first)s AND %(last)s
        AND (
            (c.account_id, c.transaction_type, c.amount, c.card_present, c.risk_score)
            IS DISTINCT FROM (t.account_id, t.transaction_type, t.amount, t.card_present, t.risk_score)
            OR nullif(c.merchant_category, '') IS DISTINCT FROM nullif(t.merchant_category, '')
            OR nullif(c.location, '') IS DISTINCT FROM nullif(t.location, '')
            OR nullif(c.job_id, '') IS DISTINCT FROM nullif(t.job_id, '')
            AND 'BATCH' NOT IN (c.ingestion_type, t.ingestion_type)
        )
    OFFSET 0
) AS s
WHERE c.line = ANY(%(lines)s::bigint[])
ORDER BY c.line;
