-- The nightly maintenance counts a day's repeated ids again when a recompute, its own or of a day before, is newer than
-- the count. Instant: readers and writers of batch_days wait for no longer than the statement takes.

ALTER TABLE lambda.batch_days ADD COLUMN closed_at timestamptz;

COMMENT ON COLUMN lambda.batch_days.closed_at IS 'When repeated_ids was last counted';
