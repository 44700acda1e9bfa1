"""The PostgreSQL schema: migrations, roles and sample data. `python -m schema` applies them."""
