import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from tests.simulator.disorder import Body
from tests.simulator.meta_errors import TEMPLATE_MISSING
from tests.simulator.statuses import Status
from tests.simulator.wire import encode_body, encode_document, sign
from tests.unit.simulator.material import START, a_plan

SECRET = b"test_app_secret"
# As it came over the wire, every escape included.
ON_THE_WIRE = (
    rb'{"object":"whatsapp_business_account","entry":[{"id":"384920175660431","changes":[{"value":{"messaging_product":'
    rb'"whatsapp","metadata":{"display_phone_number":"15550142200","phone_number_id":"271948360554122"},"contacts":'
    rb'[{"profile":{"name":"Ren\u00e9e \u5c71\u7530 \ud83c\udf3f"},"wa_id":"15550173391","user_id":'
    rb'"US.20471193388105567214"}],"messages":[{"from":"15550173391","from_user_id":"US.20471193388105567214","id":'
    rb'"wamid.HBgLMTU1NTAxNzMzOTEVAgASGBQzQUU3NzQwQzkxQjJEODVGNjYxMQA=","timestamp":"1790813400","type":"text",'
    rb'"text":{"body":"mail me\u0040shop.example \u2014 50\u0025 \u003Coff> http:\/\/x.example\/a \ud83d\ude00"}}]},'
    rb'"field":"messages"}]}]}'
)
ON_THE_WIRE_SIGNATURE = "14b76808a3ccc37b755b66d98ad90aa8125199a255c2c16dbd94835807fd2d3a"


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (
            b'{"object":"whatsapp_business_account","entry":[]}',
            "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        ),
        (
            b'{"object": "whatsapp_business_account", "entry": []}',
            "56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a",
        ),
        (ON_THE_WIRE, ON_THE_WIRE_SIGNATURE),
    ],
)
def test_a_known_body_has_its_known_signature(body: bytes, signature: str) -> None:
    assert sign(body, SECRET) == f"sha256={signature}"


def test_a_document_is_written_exactly_as_meta_writes_it() -> None:
    assert encode_document(json.loads(ON_THE_WIRE)) == ON_THE_WIRE


def test_plain_compact_json_would_not_have_the_signature_so_the_escapes_matter() -> None:
    plain = json.dumps(json.loads(ON_THE_WIRE), separators=(",", ":")).encode()

    assert sign(plain, SECRET) == "sha256=b57fcd3e5a421be3e3130596f881edcb0c5c74fe7e24ccae39364e24c52f84be"


def test_the_signature_is_the_hmac_of_the_bytes_under_the_app_secret() -> None:
    assert sign(b"body", b"other") == "sha256=" + hmac.new(b"other", b"body", hashlib.sha256).hexdigest()


def test_a_body_is_ascii_and_says_what_was_meant() -> None:
    recipient = replace(a_plan().recipients[0], name="Zoë <山田> 100% @a/b", username="zoe.y")
    delivered = Status(recipient, "delivered", START, priced=True)
    failed = Status(recipient, "failed", START + 1, (TEMPLATE_MISSING,))

    encoded = encode_body(Body((((delivered, failed),),)))

    assert encoded.isascii()
    assert rb"Zo\u00eb \u003C\u5c71\u7530> 100\u0025 \u0040a\/b" in encoded
    assert rb"promo\u00e7\u00e3o_junho\/50\u0025" in encoded
    assert json.loads(encoded) == {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": "384920175660431",
                "changes": [
                    {
                        "value": {
                            "messaging_product": "whatsapp",
                            "metadata": {
                                "display_phone_number": "15550142200",
                                "phone_number_id": "271948360554122",
                            },
                            "contacts": [
                                {
                                    "profile": {"name": "Zoë <山田> 100% @a/b", "username": "zoe.y"},
                                    "wa_id": recipient.number,
                                    "user_id": recipient.user_id,
                                }
                            ],
                            "statuses": [
                                {
                                    "id": recipient.wamid,
                                    "status": "delivered",
                                    "timestamp": str(START),
                                    "recipient_id": recipient.number,
                                    "recipient_user_id": recipient.user_id,
                                    "pricing": {
                                        "billable": True,
                                        "pricing_model": "PMP",
                                        "type": "regular",
                                        "category": "marketing",
                                    },
                                },
                                {
                                    "id": recipient.wamid,
                                    "status": "failed",
                                    "timestamp": str(START + 1),
                                    "recipient_id": recipient.number,
                                    "errors": [
                                        {
                                            "code": 132001,
                                            "title": "Template name does not exist in the translation",
                                            "message": "Template name does not exist in the translation",
                                            "error_data": {
                                                "details": (
                                                    "template name (promoção_junho/50%) does not exist in pt_BR"
                                                )
                                            },
                                            "href": ("/documentation/business-messaging/whatsapp/support/error-codes"),
                                        }
                                    ],
                                },
                            ],
                        },
                        "field": "messages",
                    }
                ],
            }
        ],
    }


def test_a_failed_status_comes_without_contacts() -> None:
    recipient = a_plan().recipients[0]

    encoded = encode_body(Body((((Status(recipient, "failed", START),),),)))

    value = json.loads(encoded)["entry"][0]["changes"][0]["value"]
    assert "contacts" not in value
    assert "errors" not in value["statuses"][0]


@pytest.mark.parametrize("payment_id", [None, "gBGGorder"])
def test_every_status_of_a_message_repeats_its_callback_data(payment_id: str | None) -> None:
    recipient = replace(a_plan().recipients[0], callback_data="anything")

    encoded = encode_body(Body((((Status(recipient, "sent", START, payment_id=payment_id),),),)))

    stated = json.loads(encoded)["entry"][0]["changes"][0]["value"]["statuses"][0]
    assert stated["biz_opaque_callback_data"] == "anything"


def test_a_payment_status_is_marked_as_one() -> None:
    recipient = a_plan().recipients[0]

    encoded = encode_body(Body((((Status(recipient, "captured", START, payment_id="gBGGorder"),),),)))

    stated = json.loads(encoded)["entry"][0]["changes"][0]["value"]["statuses"][0]
    assert (stated["id"], stated["type"], stated["status"]) == ("gBGGorder", "payment", "captured")
    assert stated["payment"]["amount"] == {"value": 129900, "offset": 100}
