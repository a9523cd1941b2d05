-- When the schema was created: what has never happened yet (a night, an audit) is as old as that. Instant, nobody waits.

GRANT USAGE ON SCHEMA lambda_migrations TO lambda_reader;

GRANT SELECT ON lambda_migrations._yoyo_migration TO lambda_reader;
