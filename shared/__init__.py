"""What both services need and nothing else: topics, record formats, Kafka, logging, health."""
