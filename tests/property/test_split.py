"""Both ways of splitting a body give the same records, whatever is in it."""

import json
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from shared.envelope import split_in_general
from shared.records import Record
from shared.status_webhooks import statuses_alone

RECEIVED_AT = "2026-10-01T12:00:00.000000+00:00"

ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just([]), st.just({}))


def objects(known: dict[str, st.SearchStrategy[Any]], odd: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Generate objects of known fields, now and then with odd ones beside them, and something else once in ten."""
    usual, with_odd = st.fixed_dictionaries(known), st.fixed_dictionaries(known, optional=odd)
    return st.integers(0, 9).flatmap(lambda choice: ODD if choice == 9 else with_odd if choice > 5 else usual)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda choice: ODD if choice == 9 else usual)


# Mostly as Meta writes them.
IDS = mostly(st.from_regex(r"[0-9]{1,15}", fullmatch=True))
WAMIDS = mostly(st.from_regex(r"wamid\.[A-Za-z0-9]{1,8}", fullmatch=True))


def named(change: Any) -> st.SearchStrategy[Any]:
    """Give a change its field, or none."""
    if not isinstance(change, dict):
        return st.just(change)
    return mostly(st.just("messages")).map(lambda field: change if field is None else {"field": field} | change)


STATUSES = objects(
    {"id": WAMIDS, "status": st.sampled_from(["sent", "delivered", "read", "failed"]), "timestamp": IDS},
    {"type": st.one_of(st.just("payment"), ODD), "errors": ODD},
)
VALUES = objects(
    {
        "messaging_product": st.just("whatsapp"),
        "metadata": objects({"phone_number_id": IDS}, {"display_phone_number": ODD}),
        "statuses": mostly(st.lists(STATUSES, min_size=1, max_size=3)),
    },
    {"contacts": ODD, "messages": ODD, "waba_info": objects({"waba_id": IDS}, {}), "errors": ODD},
)
CHANGES = objects({"value": VALUES}, {"more": ODD}).flatmap(named)
ENTRIES = objects({"id": IDS, "changes": mostly(st.lists(CHANGES, min_size=1, max_size=2))}, {"time": ODD})
ENVELOPES = objects({"entry": mostly(st.lists(ENTRIES, min_size=1, max_size=2))}, {"object": ODD})


def documents(records: list[Record]) -> list[Any]:
    return [(record.topic, record.key, json.loads(record.value)) for record in records]


def whole(**status: Any) -> Any:
    value = {"metadata": {"phone_number_id": "1"}, "statuses": [{"id": "wamid.A"} | status]}
    return {"entry": [{"id": "2", "changes": [{"field": "messages", "value": value}]}]}


def written(envelope: Any) -> st.SearchStrategy[bytes]:
    """Write JSON with characters as escapes, as Meta does, or as themselves."""
    texts = [json.dumps(envelope, ensure_ascii=escaped) for escaped in (True, False)]
    return st.sampled_from([text.encode("utf-8", "surrogatepass") for text in texts])


@settings(max_examples=1000)
@given(ENVELOPES.flatmap(written))
@example(json.dumps(whole()).encode())
@example(json.dumps(whole(title="\ud83d")).encode())
@example(json.dumps(whole(title="\u00e9\u0000\U0001f600")).encode())
@example(json.dumps(whole(title="\u00e9"), ensure_ascii=False).encode())
@example(json.dumps(whole(id="\u0663\u0000")).encode())
@example(json.dumps(whole(odd=float("nan"))).encode())
@example(json.dumps(whole()).replace('"field"', '"no field"').encode())
def test_both_ways_give_the_same(body: bytes) -> None:
    records = statuses_alone(body, RECEIVED_AT)
    event("general" if records is None else f"alone: {len(records)}")
    if records is not None:
        assert documents(records) == documents(split_in_general(body, RECEIVED_AT))


def test_what_meta_sends_most_is_split_the_short_way() -> None:
    body = json.dumps(whole(status="sent")).encode()
    records = statuses_alone(body, RECEIVED_AT)
    assert records is not None
    assert documents(records) == documents(split_in_general(body, RECEIVED_AT))
    assert json.loads(records[0].value)["status"] == {"id": "wamid.A", "status": "sent"}


@given(st.binary(max_size=30))
@example(b"[" * 100_000)
@example(b'{"entry":[{"id":"1","changes":' + b"[" * 100_000)
@example(json.dumps(whole()).encode().replace(b'"wamid.A"', b'"wamid.A","deep":' + b"[" * 5_000 + b"]" * 5_000))
def test_no_body_is_too_odd(body: bytes) -> None:
    records = statuses_alone(body, RECEIVED_AT)
    if records is not None:
        assert documents(records) == documents(split_in_general(body, RECEIVED_AT))
