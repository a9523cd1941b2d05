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

-- lock_days --
-- Whoever recomputes one of these days takes its snapshot before this transaction or after it. Class 4: days.
SELECT pg_advisory_xact_lock_shared(4, day - DATE '2000-01-01') FROM unnest(%(days)s::date[]) AS day ORDER BY day;

-- upsert_stats --
-- Adds aggregates, given in hundredths. A recompute begins a new generation: nobody waits for the rows it deletes.
INSERT INTO lambda.speed_stats AS s (
    shard, generation, minute, merchant_category, transaction_type,
    count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
)
SELECT
    %(shard)s, g.last_value, v.minute, v.merchant_category, v.transaction_type,
    v.count, v.amount_sum * 0.01, v.amount_min * 0.01, v.amount_max * 0.01, v.risk_sum * 0.01, v.high_risk_count
FROM
    lambda.recompute_generation AS g,
    unnest(
        %(minutes)s::timestamptz[], %(categories)s::text[], %(types)s::text[],
        %(rows)s::bigint[], %(amount_sum)s::bigint[], %(amount_min)s::bigint[], %(amount_max)s::bigint[],
        %(risk_sum)s::bigint[], %(high_risk_count)s::bigint[]
    ) AS v (
        minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
    )
ON CONFLICT ON CONSTRAINT speed_stats_key DO UPDATE
SET
    count = s.count + excluded.count,
    amount_sum = s.amount_sum + excluded.amount_sum,
    amount_min = least(s.amount_min, excluded.amount_min),
    amount_max = greatest(s.amount_max, excluded.amount_max),
    risk_sum = s.risk_sum + excluded.risk_sum,
    high_risk_count = s.high_risk_count + excluded.high_risk_count;
