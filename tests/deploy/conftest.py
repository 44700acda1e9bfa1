"""The running stack, as the integration tests have it."""

from tests.integration.conftest import environment

__all__ = ["environment"]
