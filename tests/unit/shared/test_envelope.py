"""From a body to records: everything on its own, nothing refused, nothing lost."""

import json
from typing import Any

import pytest

from shared import json_text
from shared.envelope import split
from shared.records import Record
from tests.webhooks import topics_of, webhooks

RECEIVED_AT = "2026-10-01T12:00:00.000000+00:00"
WEBHOOKS = webhooks()


def body(*changes: Any, **entry: Any) -> bytes:
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "waba", "changes": list(changes)} | entry]}
    ).encode()


def messages(**value: Any) -> dict[str, Any]:
    return {"field": "messages", "value": {"metadata": {"phone_number_id": "number"}} | value}


def topics(records: list[Record]) -> list[str]:
    return [record.topic.suffix for record in records]


def status(message_id: Any, **more: Any) -> dict[str, Any]:
    return {"id": message_id, "status": "sent", "timestamp": "1790812812"} | more


@pytest.mark.parametrize("name", WEBHOOKS)
def test_examples_go_where_they_belong(name: str) -> None:
    assert topics(split(WEBHOOKS[name], RECEIVED_AT)) == topics_of(name)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_every_part_is_kept_word_for_word(name: str) -> None:
    envelope = json.loads(WEBHOOKS[name])
    changes = [change for entry in envelope["entry"] for change in entry["changes"]]
    statuses = [part for change in changes for part in change["value"].get("statuses", ())]
    inbound = [
        part for change in changes if change["field"] == "messages" for part in change["value"].get("messages", ())
    ]
    documents = [(record.topic.suffix, json.loads(record.value)) for record in split(WEBHOOKS[name], RECEIVED_AT)]

    found_statuses = [document["status"] for topic, document in documents if topic == "raw.status"]
    assert found_statuses == [part for part in statuses if part.get("type") != "payment"]
    assert [document["message"] for topic, document in documents if topic == "raw.inbound"] == inbound
    whole = [document["change"] for _, document in documents if "change" in document]
    assert all(change["field"] in {known["field"] for known in changes} for change in whole)
    assert [change for change in whole if change["field"] != "messages"] == [
        change for change in changes if change["field"] != "messages"
    ]


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if "raw.status" in topics_of(name)])
def test_a_status_is_keyed_by_its_message_and_says_where_it_came_from(name: str) -> None:
    origins = {
        (part["id"], entry["id"], change["value"]["metadata"]["phone_number_id"])
        for entry in json.loads(WEBHOOKS[name])["entry"]
        for change in entry["changes"]
        for part in change["value"].get("statuses", ())
    }
    for record in split(WEBHOOKS[name], RECEIVED_AT):
        if record.topic.suffix == "raw.status":
            document = json.loads(record.value)
            message_id = document["status"]["id"]
            assert record.key == message_id.encode()
            assert (message_id, document["waba_id"], document["phone_number_id"]) in origins
            assert document["received_at"] == RECEIVED_AT


def test_a_template_change_is_keyed_by_the_template() -> None:
    (record,) = split(WEBHOOKS["template_quality_update"], RECEIVED_AT)
    assert record.key == b"1407225983650118"
    assert json.loads(record.value)["entry_time"] == json.loads(WEBHOOKS["template_quality_update"])["entry"][0]["time"]


def test_an_account_change_is_keyed_by_the_waba_where_the_entry_names_a_business() -> None:
    (record,) = split(WEBHOOKS["account_update_partner_removed_entry_id_is_business"], RECEIVED_AT)
    document = json.loads(record.value)
    assert record.key == document["waba_id"].encode() == b"384920175660431"
    assert document["entry_id"] == "771920045518833"


def test_an_inbound_message_is_keyed_by_its_sender_also_without_a_phone_number() -> None:
    (record,) = split(WEBHOOKS["inbound_text_username_user_no_phone"], RECEIVED_AT)
    assert record.key == b"US.20471193388105567214"
    assert json.loads(record.value)["contacts"]


@pytest.mark.parametrize(
    "unreadable",
    [b"", b"not json", b"\xff\xfe\x00", b"[]", b"1", b'"text"', b"null", b"{}", b'{"entry": {}}', b"[" * 100_000],
)
def test_what_is_no_envelope_is_kept_as_it_came(unreadable: bytes) -> None:
    (record,) = split(unreadable, RECEIVED_AT)
    assert (record.topic.suffix, record.key, record.value) == ("raw.unroutable", None, unreadable)


@pytest.mark.parametrize("field", [None, [], {}, 5, True])
def test_a_change_whose_field_is_no_name_is_kept(field: Any) -> None:
    (record,) = split(body({"field": field, "value": {}}), RECEIVED_AT)
    assert record.topic.suffix == "raw.other"
    assert json.loads(record.value)["change"] == {"field": field, "value": {}}


def test_an_empty_envelope_is_nothing_to_publish() -> None:
    assert split(b'{"object":"whatsapp_business_account","entry":[]}', RECEIVED_AT) == []


def test_a_lone_surrogate_is_carried_through() -> None:
    one = body(messages(statuses=[status("wamid.A", errors=[{"title": "\ud83d"}]), status("wamid.B")]))
    assert rb"\ud83d" in one
    first, second = split(one, RECEIVED_AT)
    assert json.loads(first.value)["status"]["errors"] == [{"title": "\ud83d"}]
    assert (first.key, second.key) == (b"wamid.A", b"wamid.B")


def test_not_a_number_becomes_null() -> None:
    (record,) = split(body(messages(statuses=[status("wamid.A", odd=float("nan"))])), RECEIVED_AT)
    assert json.loads(record.value)["status"]["odd"] is None


def test_integers_beyond_64_bits_stay_exact_beside_a_surrogate() -> None:
    (record,) = split(body(messages(statuses=[status("wamid.A", big=2**70, text="\ud83d")])), RECEIVED_AT)
    assert json.loads(record.value)["status"]["big"] == 2**70


@pytest.mark.parametrize("odd", [None, 1, "text", [], {}, {"id": ""}, {"id": None}, {"status": "sent"}])
def test_an_odd_status_takes_no_neighbour_with_it(odd: Any) -> None:
    records = split(body(messages(statuses=[status("wamid.A"), odd, status("wamid.B")])), RECEIVED_AT)
    assert topics(records) == ["raw.status", "raw.other", "raw.status"]
    assert json.loads(records[1].value)["change"]["value"]["statuses"] == [odd]


@pytest.mark.parametrize("odd", [None, 1, "text", []])
def test_an_odd_message_takes_no_neighbour_with_it(odd: Any) -> None:
    records = split(body(messages(messages=[odd, {"id": "wamid.A", "from": "15550100"}])), RECEIVED_AT)
    assert topics(records) == ["raw.other", "raw.inbound"]


@pytest.mark.parametrize(
    "odd", [None, 1, "text", [], {}, {"field": 3}, {"value": {}}, {"field": "messages", "value": 3}]
)
def test_an_odd_change_is_kept(odd: Any) -> None:
    records = split(body(odd, messages(statuses=[status("wamid.A")])), RECEIVED_AT)
    assert topics(records) == ["raw.other", "raw.status"]
    assert json.loads(records[0].value)["change"] == odd


@pytest.mark.parametrize("odd", [None, 1, "text", [], {"id": "waba", "changed_fields": ["messages"]}])
def test_an_odd_entry_is_kept(odd: Any) -> None:
    (record,) = split(json.dumps({"entry": [odd]}).encode(), RECEIVED_AT)
    assert record.topic.suffix == "raw.other"
    assert json.loads(record.value)["change"] == odd


def test_what_stands_beside_statuses_is_kept_too() -> None:
    errors = [{"code": 130429}]
    records = split(body(messages(statuses=[status("wamid.A")], errors=errors, contacts=[{}])), RECEIVED_AT)
    assert topics(records) == ["raw.status", "raw.other"]
    assert json.loads(records[1].value)["change"]["value"] == {
        "metadata": {"phone_number_id": "number"},
        "contacts": [{}],
        "errors": errors,
    }


def test_contacts_alone_are_kept() -> None:
    (record,) = split(body(messages(contacts=[{"wa_id": "15550100"}])), RECEIVED_AT)
    assert record.topic.suffix == "raw.other"


def test_a_part_that_cannot_be_written_keeps_the_whole_body_beside_its_other_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refusing(document: Any) -> bytes:
        # What Python's limits refuse differs by version; here it is what says so.
        if "DEEP" in str(document):
            raise json_text.NotJsonError
        return dumps(document)

    dumps = json_text.dumps
    monkeypatch.setattr(json_text, "dumps", refusing)
    whole = body(messages(statuses=[status("wamid.A"), status("wamid.B", odd="DEEP")]))
    records = split(whole, RECEIVED_AT)
    assert topics(records) == ["raw.status", "raw.unroutable"]
    assert records[1].value == whole


def test_a_part_too_large_for_its_topic_keeps_the_whole_body() -> None:
    # Meta writes 1e9; our record would spell the zeros out.
    numbers = ",".join(["1e9"] * 1_000_000)
    whole = body(messages(statuses=[status("wamid.A", odd="NUMBERS")])).replace(b'"NUMBERS"', f"[{numbers}]".encode())
    (record,) = split(whole, RECEIVED_AT)
    assert (record.topic.suffix, record.value) == ("raw.unroutable", whole)
