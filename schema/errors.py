class SchemaError(Exception):
    """The schema cannot be brought where it was asked to go; the text says why and what to do."""
