"""Meta's verification request: a GET that proves we know the verify token (Meta: create-webhook-endpoint)."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ingest_service import metrics

# They share what the database is asked for, once a second, and strangers can ask for many.
MOST_AT_ONCE: Final = 1000
# Nobody sends webhooks over the connection of a refusal.
CLOSED: Final = {"connection": "close"}

TokenSource = Callable[[], Awaitable[Iterable[bytes]]]


class Verification:
    """Answers `GET /webhooks/meta` with the challenge, or 403."""

    def __init__(self, tokens: Iterable[bytes], further_tokens: TokenSource) -> None:
        self.use(tokens)
        self._further_tokens = further_tokens
        self._waiting = 0

    def use(self, tokens: Iterable[bytes]) -> None:
        """Know these tokens from now on."""
        self._tokens = list(tokens)

    async def answer(self, request: Request) -> Response:
        query = request.query_params
        challenge = query.get("hub.challenge")
        presented = query.get("hub.verify_token", "").encode()
        well_formed = query.get("hub.mode") == "subscribe" and challenge is not None and presented
        known = bool(well_formed) and _among(presented, self._tokens)
        if well_formed and not known:
            if self._waiting >= MOST_AT_ONCE:
                metrics.VERIFICATIONS.labels("overloaded").inc()
                return PlainTextResponse(
                    "too many verifications, ask again\n", status_code=503, headers={**CLOSED, "retry-after": "5"}
                )
            known = await self._is_further(presented)
        if known:
            metrics.VERIFICATIONS.labels("accepted").inc()
            # Who knows a token chooses the text; a browser is not to see a page in it.
            return PlainTextResponse(challenge, headers={"x-content-type-options": "nosniff"})
        metrics.VERIFICATIONS.labels("refused").inc()
        return PlainTextResponse("verification refused\n", status_code=403, headers=CLOSED)

    async def _is_further(self, presented: bytes) -> bool:
        """Ask the database, which is only for a token that the settings do not know."""
        self._waiting += 1
        try:
            return _among(presented, await self._further_tokens())
        finally:
            self._waiting -= 1


def _among(presented: bytes, tokens: Iterable[bytes]) -> bool:
    """Compare as bytes and in constant time; a str that is not ASCII would make compare_digest raise."""
    return any(hmac.compare_digest(presented, token) for token in tokens)
