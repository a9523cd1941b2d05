-- assign_shard --
-- The shard of a member of the consumer group: no other member has it, on any host.
SELECT lambda.assign_shard(%(member)s);

-- generation --
-- The generation of rows that is written now: each recompute begins a new one.
SELECT last_value FROM lambda.recompute_generation;

-- days_to_put_off --
-- The days, each given with its number of keys to upsert, that are cheaper to recompute later as a whole: upserting a key takes
-- some 20 times as long as counting a row, which takes up 150 bytes. Without days that retention dropped: they cannot be counted.
SELECT d.day
FROM unnest(%(days)s::date[], %(keys)s::bigint[]) AS d (day, keys)
WHERE coalesce(pg_relation_size(to_regclass('lambda.transactions_' || to_char(d.day, 'YYYYMMDD'))), 0) < 20 * 150 * d.keys
AND NOT EXISTS (SELECT FROM lambda.batch_days AS b WHERE b.day = d.day AND b.dropped_at IS NOT NULL);

-- put_off_minutes --
INSERT INTO lambda.uncounted_minutes (minute) SELECT unnest(%(minutes)s::timestamptz[]);

-- upsert_stats --
-- Adds aggregates, given in hundredths. They go into rows of the newest generation, so no writer waits for rows that a
-- recompute is deleting.
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
