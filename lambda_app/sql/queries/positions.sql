-- select_positions --
-- Where we are in each of these partitions.
SELECT partition, next_offset, topic_id::text, last_hash
FROM lambda.stream_offsets
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s);

-- insert_position --
-- First reading of a partition; inserts nothing when someone else was faster.
INSERT INTO lambda.stream_offsets (topic, partition, topic_id, next_offset, gap_count)
VALUES (%(topic)s, %(partition)s, %(topic_id)s, %(position)s, %(gap_count)s)
ON CONFLICT ON CONSTRAINT stream_offsets_pkey DO NOTHING;

-- move_position --
-- A jump, after a gap; updates nothing when someone else was faster.
UPDATE lambda.stream_offsets
SET
    topic_id = %(topic_id)s,
    next_offset = %(position)s,
    leader_epoch = NULL,
    last_timestamp = NULL,
    last_hash = NULL,
    gap_count = gap_count + %(gap_count)s,
    rewound_count = rewound_count + %(rewound_count)s,
    updated_at = now()
WHERE
    topic = %(topic)s AND partition = %(partition)s
    AND next_offset = %(expected)s AND topic_id IS NOT DISTINCT FROM %(expected_topic_id)s::uuid;

-- end_frozen_writers --
-- A worker that stopped in the middle of a COPY keeps its rows locked: no timeout of PostgreSQL covers that.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE
    datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event = 'ClientRead' AND xact_start < clock_timestamp() - %(seconds)s * interval '1 second';

-- insert_gap --
-- Keeps what could not be read.
INSERT INTO lambda.stream_gaps (topic, topic_id, partition, from_offset, to_offset, reason)
VALUES (%(topic)s, %(topic_id)s, %(partition)s, %(from_offset)s, %(to_offset)s, %(reason)s);

-- advance_positions --
-- Compare-and-set of every partition in a chunk; the caller counts the rows.
UPDATE lambda.stream_offsets AS o
SET
    topic_id = coalesce(o.topic_id, v.topic_id),
    next_offset = v.next_offset,
    leader_epoch = v.leader_epoch,
    last_timestamp = v.last_timestamp,
    last_hash = v.last_hash,
    stored_count = o.stored_count + v.stored,
    duplicate_count = o.duplicate_count + v.duplicate,
    dead_letter_count = o.dead_letter_count + v.dead_letters,
    skipped_count = o.skipped_count + v.skipped,
    updated_at = now()
FROM (VALUES %s) AS v (
    topic, partition, topic_id, expected, next_offset, leader_epoch, last_timestamp, last_hash,
    stored, duplicate, dead_letters, skipped
)
WHERE
    o.topic = v.topic AND o.partition = v.partition
    AND o.next_offset = v.expected AND coalesce(o.topic_id, v.topic_id) IS NOT DISTINCT FROM v.topic_id
RETURNING o.partition;
