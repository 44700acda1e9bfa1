"""The local stack: real PostgreSQL, a real broker and the services, without containers or root."""
