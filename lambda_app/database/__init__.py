"""PostgreSQL, and the only package that imports psycopg2."""
