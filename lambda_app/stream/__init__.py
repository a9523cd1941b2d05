"""The producer and the consumer: transactions into Kafka, and from there into PostgreSQL."""
