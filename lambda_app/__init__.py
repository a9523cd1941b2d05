"""The programs of the Lambda data platform: producer, consumer, batch, database set-up, status."""
