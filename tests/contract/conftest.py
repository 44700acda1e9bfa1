"""The running stack, as the integration tests have it."""

from tests.integration.conftest import database, environment

__all__ = ["database", "environment"]
