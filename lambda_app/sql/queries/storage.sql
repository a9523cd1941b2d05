-- ensure_partition --
-- Makes the partition of a day unless it is there.
SELECT lambda.ensure_partition(%(day)s);

-- hold_partitions --
-- Nobody drops a partition until the commit.
LOCK TABLE ONLY lambda.transactions IN ROW EXCLUSIVE MODE;

-- create_chunk_table --
-- Where a chunk is put down when some of its rows may be stored already.
CREATE TEMPORARY TABLE IF NOT EXISTS chunk (
    line bigint GENERATED ALWAYS AS IDENTITY, LIKE lambda.transactions INCLUDING DEFAULTS
) ON COMMIT DELETE ROWS;

-- empty_chunk_table --
-- One transaction may put down several chunks; lines count from 1.
TRUNCATE pg_temp.chunk RESTART IDENTITY;

-- insert_chunk --
-- Moves the chunk over; of rows with one key the first is stored. Gives the lines that were not.
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

-- insert_dead_letters --
-- Keeps what was not valid, a message of the stream once.
INSERT INTO lambda.dead_letters (topic, topic_id, partition, "offset", file, line, job_id, raw, reason)
VALUES %s
ON CONFLICT DO NOTHING
RETURNING partition;
