-- A shard of speed_stats for each worker, whichever host it runs on: workers counted their shards by host, so those of two hosts
-- would wait for each other's rows. Shards that have rows already add up as before. Instant, nobody waits.

CREATE TABLE lambda.speed_shards (
    shard integer GENERATED ALWAYS AS IDENTITY,
    member text NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT speed_shards_pkey PRIMARY KEY (shard),
    CONSTRAINT speed_shards_member_key UNIQUE (member)
);

COMMENT ON TABLE lambda.speed_shards IS 'Which member of the consumer group writes which shard of speed_stats; the batch writes 0, a retry -1';

-- The shard of a member, its own for good: looked up first, since an insert that meets the name takes a number for nothing.
CREATE FUNCTION lambda.assign_shard(member_name text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    assigned integer;
BEGIN
    SELECT s.shard INTO assigned FROM lambda.speed_shards AS s WHERE s.member = member_name;
    IF NOT FOUND THEN
        -- Updated to what it is when another session was faster, so that its number is returned.
        INSERT INTO lambda.speed_shards AS s (member) VALUES (member_name)
        ON CONFLICT (member) DO UPDATE SET member = excluded.member
        RETURNING s.shard INTO assigned;
    END IF;
    RETURN assigned;
END
$$;

REVOKE ALL ON FUNCTION lambda.assign_shard(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION lambda.assign_shard(text) TO lambda_stream;

GRANT SELECT ON lambda.speed_shards TO lambda_reader;
