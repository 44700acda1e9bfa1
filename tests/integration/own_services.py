"""Services of a test's own beside the running stack's, on its servers."""

import aiohttp

from tests.integration.environment import Environment
from tests.integration.processes import free_port

BODY = b'{"entry":[{"id":"w","changes":[{"field":"lifecycle","value":{}}]}]}'


def settings(environment: Environment, **changes: str) -> dict[str, str]:
    """Give a service the running stack's parts and ports of its own."""
    names = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "META_APP_SECRETS", "META_VERIFY_TOKENS")
    own = {name: environment[name] for name in names}
    return own | {"PORT": str(free_port()), "CONSUMER_GROUP": "lifecycle"} | changes


async def post(http: aiohttp.ClientSession, environment: Environment, port: str, **headers: str) -> int:
    """Post a webhook of no message, signed with the stack's secret, and give the answer's status."""
    url = f"http://127.0.0.1:{port}/webhooks/meta"
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.post(url, data=BODY, headers=environment.signed(BODY) | more) as answer:
        return answer.status
