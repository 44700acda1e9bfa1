"""Meta's verification request: a GET that proves we know the verify token (Meta: create-webhook-endpoint)."""

import hmac
from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ingest_service import metrics

TokenSource = Callable[[], Awaitable[Iterable[bytes]]]


class Verification:
    """Answers `GET /webhooks/meta` with the challenge, or 403."""

    def __init__(self, tokens: Iterable[bytes], further_tokens: TokenSource) -> None:
        self._tokens = list(tokens)
        self._further_tokens = further_tokens

    async def answer(self, request: Request) -> Response:
        query = request.query_params
        challenge = query.get("hub.challenge")
        presented = query.get("hub.verify_token", "").encode()
        well_formed = query.get("hub.mode") == "subscribe" and challenge is not None and presented
        # The database is asked only for a token that the settings do not know.
        if well_formed and (_among(presented, self._tokens) or _among(presented, await self._further_tokens())):
            metrics.VERIFICATIONS.labels("accepted").inc()
            return PlainTextResponse(challenge)
        metrics.VERIFICATIONS.labels("refused").inc()
        return PlainTextResponse("verification refused\n", status_code=403)


def _among(presented: bytes, tokens: Iterable[bytes]) -> bool:
    """Compare as bytes and in constant time; a str that is not ASCII would make compare_digest raise."""
    return any(hmac.compare_digest(presented, token) for token in tokens)
