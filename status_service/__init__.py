"""The consumer: applies statuses to message_logs and counts them in campaign_logs."""
