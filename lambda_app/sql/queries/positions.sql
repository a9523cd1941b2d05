-- select_positions --
-- The positions of these partitions.
SELECT partition, next_offset, topic_id, last_hash
FROM lambda.stream_offsets
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s);

-- insert_position --
-- The position of a partition that is read for the first time; inserts nothing when another worker was faster.
INSERT INTO lambda.stream_offsets (topic, partition, topic_id, next_offset, gap_count)
VALUES (%(topic)s, %(partition)s, %(topic_id)s, %(position)s, %(gap_count)s)
ON CONFLICT ON CONSTRAINT stream_offsets_pkey DO NOTHING;

-- move_position --
-- Moves a position after a gap; updates nothing when another worker was faster.
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
-- Ends the sessions of workers that hang in the middle of a COPY and keep rows locked: no timeout of PostgreSQL covers that.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE
    datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event = 'ClientRead' AND xact_start < clock_timestamp() - %(seconds)s * interval '1 second';

-- insert_gap --
-- Records offsets that could not be read.
INSERT INTO lambda.stream_gaps (topic, topic_id, partition, from_offset, to_offset, reason)
VALUES (%(topic)s, %(topic_id)s, %(partition)s, %(from_offset)s, %(to_offset)s, %(reason)s);

-- prepare_advance --
-- Moves every position of a chunk by compare-and-set; the caller counts the rows that are returned. Planned once for a
-- connection: planning it takes longer than running it.
PREPARE advance_positions AS
UPDATE lambda.stream_offsets AS o
SET
    topic_id = coalesce(o.topic_id, $2),
    next_offset = v.next_offset,
    leader_epoch = v.leader_epoch,
    last_timestamp = to_timestamp(v.last_seconds),
    last_hash = v.last_hash,
    stored_count = o.stored_count + v.stored,
    duplicate_count = o.duplicate_count + v.duplicate,
    dead_letter_count = o.dead_letter_count + v.dead_letters,
    skipped_count = o.skipped_count + v.skipped,
    updated_at = now()
FROM unnest(
    $3::integer[], $4::bigint[], $5::bigint[], $6::integer[], $7::float8[], $8::bytea[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]
) AS v (
    partition, expected, next_offset, leader_epoch, last_seconds, last_hash,
    stored, duplicate, dead_letters, skipped
)
WHERE
    o.topic = $1::text AND o.partition = v.partition
    AND o.next_offset = v.expected AND coalesce(o.topic_id, $2) IS NOT DISTINCT FROM $2::uuid
RETURNING o.partition;

-- advance_positions --
EXECUTE advance_positions (
    %(topic)s, %(topic_id)s, %(partition)s, %(expected)s, %(next_offset)s, %(leader_epoch)s, %(last_seconds)s,
    %(last_hash)s, %(stored)s, %(duplicate)s, %(dead_letters)s, %(skipped)s
);
