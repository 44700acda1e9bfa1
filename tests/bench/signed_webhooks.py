"""Signed webhooks as bytes of HTTP, made for next to nothing."""

import hmac
import os
from itertools import count
from time import time

# Meta's shapes of a status, around its message id and time (Meta: webhooks reference, messages, status object).
PRICING = b'"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing"}'
STATUSES = (
    b'"status":"sent","timestamp":"%d","recipient_id":"15550173391",' + PRICING,
    b'"status":"delivered","timestamp":"%d","recipient_id":"15550173391",' + PRICING,
    b'"status":"read","timestamp":"%d","recipient_id":"15550173391","recipient_user_id":"US.20471193388105567214"',
)
BEFORE_STATUSES = (
    b'{"object":"whatsapp_business_account","entry":[{"id":"384920175660431","changes":[{"value":'
    b'{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550142200",'
    b'"phone_number_id":"271948360554122"},"contacts":[{"profile":{"name":"Imani Okafor"},"wa_id":"15550173391",'
    b'"user_id":"US.20471193388105567214"}],"statuses":['
)
AFTER_STATUSES = b']},"field":"messages"}]}]}'


class Requests:
    """Signed webhooks of some statuses each: sent, delivered and read in turn, each with a message id of its own."""

    def __init__(self, host: str, secret: bytes, statuses: int) -> None:
        self._statuses = statuses
        self._numbers = count()
        # Two runs share no message ids.
        self._run = os.urandom(8).hex().encode()
        self._shapes = [shape % int(time()) for shape in STATUSES]
        self._signature = hmac.new(secret, digestmod="sha256")
        self._head = (
            b"POST /webhooks/meta HTTP/1.1\r\n"
            b"Host: %b\r\n"
            b"User-Agent: facebookexternalua\r\n"
            b"Accept: */*\r\n"
            b"Content-Type: application/json\r\n"
            b"X-Hub-Signature-256: sha256=%%b\r\n"
            b"Content-Length: %%d\r\n\r\n%%b" % host.encode()
        )

    def make(self) -> bytes:
        """Give the bytes of a request."""
        statuses = b",".join([self._status(next(self._numbers)) for _ in range(self._statuses)])
        return self.signed(b"%b%b%b" % (BEFORE_STATUSES, statuses, AFTER_STATUSES))

    def signed(self, body: bytes) -> bytes:
        signature = self._signature.copy()
        signature.update(body)
        return self._head % (signature.hexdigest().encode(), len(body), body)

    def _status(self, number: int) -> bytes:
        shape = self._shapes[number % len(self._shapes)]
        return b'{"id":"wamid.HBgLMTU1NTAxNzMz%b%012dAA==",%b}' % (self._run, number, shape)
