"""Kafka, and the only package that imports kafka-python."""
