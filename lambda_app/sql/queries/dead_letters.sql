-- record_letters --
-- Records dead letters; for a message that has one already nothing. Returns the new ones.
INSERT INTO lambda.dead_letters (topic, topic_id, partition, "offset", file, line, job_id, raw, reason)
SELECT *
FROM unnest(
    %(topics)s::text[], %(topic_ids)s::uuid[], %(partitions)s::integer[], %(offsets)s::bigint[],
    %(files)s::text[], %(lines)s::bigint[], %(job_ids)s::text[], %(raws)s::bytea[], %(reasons)s::text[]
)
ON CONFLICT DO NOTHING
RETURNING partition, reason;

-- matches --
-- The condition that the queries below get as `matches`: the letters that pass all filters that are given.
(%(resolved)s OR resolved_at IS NULL)
AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))
AND (%(reason)s IS NULL OR strpos(lower(reason), lower(%(reason)s)) > 0)
AND (%(source)s IS NULL OR coalesce(topic, file) LIKE %(source)s)
AND (%(since)s IS NULL OR received_at >= %(since)s)
AND (%(until)s IS NULL OR received_at < %(until)s)
AND (%(last)s IS NULL OR id <= %(last)s);

-- count --
SELECT count(*) AS count, max(id) AS last FROM lambda.dead_letters WHERE %(matches)s;

-- list --
-- The letters that match, newest first.
SELECT id, received_at, topic, partition, "offset", file, line, resolution, reason
FROM lambda.dead_letters
WHERE %(matches)s
ORDER BY id DESC
LIMIT %(limit)s;

-- count_by_reason --
-- The letters that match, counted by reason, most frequent first. Reasons that differ only in their example count as one.
SELECT
    regexp_replace(reason, %(example)s, '') AS reason,
    count(*) AS count,
    min(received_at) AS first_received_at,
    max(received_at) AS last_received_at
FROM lambda.dead_letters
WHERE %(matches)s
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s;

-- unknown_ids --
-- The ids among these that no letter has.
SELECT id FROM unnest(%(ids)s::bigint[]) AS id WHERE NOT EXISTS (SELECT FROM lambda.dead_letters AS d WHERE d.id = id.id);

-- show --
-- Everything about a letter.
SELECT id, topic, topic_id, partition, "offset", file, line, job_id, reason, received_at, resolved_at, resolution, raw
FROM lambda.dead_letters
WHERE id = %(id)s;

-- discard --
UPDATE lambda.dead_letters SET resolved_at = now(), resolution = 'discarded' WHERE %(matches)s;

-- lock_next --
-- Locks the next letters, oldest first, up to a number and a size. Skips letters that another retry has locked.
WITH locked AS (
    SELECT id, coalesce(octet_length(raw), 0) AS size
    FROM lambda.dead_letters
    WHERE %(matches)s AND id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
measured AS (SELECT id, sum(size) OVER (ORDER BY id) - size AS size_before FROM locked)
SELECT id, topic IS NOT NULL AS is_message, job_id, raw
FROM measured
JOIN lambda.dead_letters USING (id)
WHERE size_before < %(bytes)s
ORDER BY id;

-- headers --
-- The columns and the delimiter of the files that these jobs read.
SELECT job_id, header, delimiter FROM lambda.batch_jobs WHERE job_id = ANY(%(job_ids)s) AND header IS NOT NULL;

-- resolve --
-- Marks letters as resolved, in the transaction that stores their rows.
UPDATE lambda.dead_letters AS d
SET resolved_at = now(), resolution = v.resolution
FROM unnest(%(ids)s::bigint[], %(resolutions)s::text[]) AS v (id, resolution)
WHERE d.id = v.id;
