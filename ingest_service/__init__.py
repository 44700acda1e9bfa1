"""The receiver: verifies Meta's webhooks, splits them and publishes the parts to Kafka."""
