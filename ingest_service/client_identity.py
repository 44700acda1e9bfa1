"""Whose client certificate a webhook came with, as the proxy in front that checked it says.

Meta's has the common name `client.webhooks.fbclientcerts.com`, and a CA of Meta's own signs it (Meta: webhooks, mTLS).
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from starlette.types import Scope

# What the proxy sets, whatever the client sent under this name; deploy/nginx has the configuration.
HEADER: Final = b"x-client-cn"

Network: TypeAlias = IPv4Network | IPv6Network


class ClientIdentity:
    """Takes the word of these proxies, and nobody else's, that the client is who it should be."""

    def __init__(self, proxies: Sequence[Network], name: str) -> None:
        self._proxies = proxies
        self._name = name.encode()
        # A few proxies ask millions of times; strangers' addresses push each other out.
        self._is_proxy = lru_cache(maxsize=1000)(self._among_proxies)

    def is_shown(self, scope: Scope) -> bool:
        """Tell whether a proxy of ours vouches for the one who asks; a doubled header is nobody's."""
        client = scope["client"]
        names = [value for header, value in scope["headers"] if header == HEADER]
        return client is not None and self._is_proxy(client[0]) and names == [self._name]

    def _among_proxies(self, host: str) -> bool:
        address = ip_address(host)
        # On a listener for both, IPv4 looks like this.
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in proxies for proxies in self._proxies)
