-- What `lambda-app verify` needs to account for every offset: how far next_offset was moved back, which offsets held no message,
-- and each dead letter counted once. Instant; writers wait for as long as it takes.

ALTER TABLE lambda.stream_offsets
ADD COLUMN rewound_count bigint NOT NULL DEFAULT 0,
ADD COLUMN skipped_count bigint NOT NULL DEFAULT 0;

COMMENT ON COLUMN lambda.stream_offsets.duplicate_count IS 'Messages that were stored, or kept as a dead letter, already';
COMMENT ON COLUMN lambda.stream_offsets.rewound_count IS
'Offsets that next_offset was moved back by in all, to read a log that was cut off, or a topic made anew';
COMMENT ON COLUMN lambda.stream_offsets.skipped_count IS
'Offsets without a message for us: ends of transactions, aborted messages, what compaction removed';

-- Nobody counted them so far: they are what the other counters leave, where a gap of unknown length says that the log was read again.
UPDATE lambda.stream_offsets AS o
SET
    dead_letter_count = o.dead_letter_count - past.repeated,
    duplicate_count = o.duplicate_count + past.repeated,
    rewound_count = CASE WHEN past.has_rewound THEN greatest(0, past.surplus) ELSE 0 END,
    skipped_count = greatest(0, -past.surplus)
FROM (
    SELECT
        p.topic,
        p.partition,
        p.stored_count + p.duplicate_count + p.dead_letter_count + p.gap_count - p.next_offset AS surplus,
        g.has_rewound,
        CASE WHEN g.has_rewound THEN greatest(0, p.dead_letter_count - d.count) ELSE 0 END AS repeated
    FROM lambda.stream_offsets AS p
    CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS has_rewound
        FROM lambda.stream_gaps
        WHERE topic = p.topic AND partition = p.partition AND to_offset IS NULL
    ) AS g
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM lambda.dead_letters WHERE topic = p.topic AND partition = p.partition
    ) AS d
) AS past
WHERE o.topic = past.topic AND o.partition = past.partition;
