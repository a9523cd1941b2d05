-- Files: entries of the inbox that cannot be read are failed jobs too; a file that grew after it was loaded is continued by
-- another job; its size tells so without reading it; dead letters of a file need its delimiter. Instant: the table is small.

ALTER TABLE lambda.batch_jobs
ADD COLUMN file_bytes bigint,
ADD COLUMN delimiter text NOT NULL DEFAULT ',',
ADD COLUMN continued_by text,
DROP CONSTRAINT batch_jobs_file_check,
ADD CONSTRAINT batch_jobs_file_check CHECK (file IS NOT NULL OR content_hash IS NULL);

COMMENT ON COLUMN lambda.batch_jobs.content_hash IS 'SHA-256 of the file; NULL for an entry of the inbox that could not be read';
COMMENT ON COLUMN lambda.batch_jobs.file_bytes IS 'Size of the file when it was registered';
COMMENT ON COLUMN lambda.batch_jobs.delimiter IS 'Character between the fields of the file';
COMMENT ON COLUMN lambda.batch_jobs.continued_by IS 'The job of the content that the file had later, when it changed after this job';
