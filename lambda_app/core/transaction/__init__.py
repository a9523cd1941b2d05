"""A transaction: what a message may be, and its row and aggregates as PostgreSQL takes them."""
