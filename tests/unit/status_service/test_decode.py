"""From a record to evidence, also where Meta's text is not what it should be."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from status_service.decode import DecodedStatus, StatusValue, UndecodableError, decode, storable
from status_service.merge import Evidence

RECEIVED_AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
RECEIVED = int(RECEIVED_AT.timestamp()) * 1_000_000
SENT_AT = 1_790_812_812


def record(**status: Any) -> bytes:
    document = {"waba_id": "waba", "phone_number_id": "number", "received_at": RECEIVED_AT.isoformat()}
    known = {"id": "wamid.A", "status": "sent", "timestamp": str(SENT_AT)}
    return json.dumps(document | {"status": known | status}).encode()


def evidence(**status: Any) -> Evidence:
    found = decode(record(**status)).evidence
    assert found is not None
    return found


AT = SENT_AT * 1_000_000


@pytest.mark.parametrize(
    ("kind", "proves"),
    [
        ("sent", Evidence(sent_at=AT, said=1)),
        ("delivered", Evidence(sent_at=AT, delivered_at=AT, said=2)),
        ("read", Evidence(sent_at=AT, delivered_at=AT, read_at=AT, said=4)),
        ("played", Evidence(sent_at=AT, delivered_at=AT, read_at=AT, said=4)),
        ("failed", Evidence(failed_at=AT, said=8)),
    ],
)
def test_what_each_status_proves(kind: str, proves: Evidence) -> None:
    assert decode(record(status=kind)) == DecodedStatus(
        "wamid.A", StatusValue(kind), proves, RECEIVED, timestamp_replaced=False, phone_number_id="number"
    )


@pytest.mark.parametrize(
    ("status", "value"),
    [
        ({"status": "deleted"}, StatusValue.DELETED),
        ({"status": "warning"}, StatusValue.WARNING),
        ({"status": "teleported"}, StatusValue.UNKNOWN),
        ({"status": None}, StatusValue.UNKNOWN),
        ({"status": ["sent"]}, StatusValue.UNKNOWN),
        ({"status": "failed", "type": "payment"}, StatusValue.PAYMENT),
    ],
)
def test_what_is_no_evidence(status: dict[str, Any], value: StatusValue) -> None:
    found = decode(record(**status))
    assert (found.value, found.evidence) == (value, None)


@pytest.mark.parametrize("timestamp", [str(SENT_AT), SENT_AT, "1230768000", RECEIVED // 1_000_000 + 86_400])
def test_timestamps_that_can_be_true_are_kept(timestamp: Any) -> None:
    found = decode(record(timestamp=timestamp))
    assert found.evidence == Evidence(sent_at=int(timestamp) * 1_000_000, said=1)
    assert not found.timestamp_replaced


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        "",
        "soon",
        "1_790_812_812",
        " 1790812812",
        "\u0661\u0667\u0669\u0660",
        "-1",
        0,
        True,
        1.5,
        [],
        "1230767999",
        "9" * 5000,
        RECEIVED // 1_000_000 + 86_401,
    ],
)
def test_timestamps_that_cannot_be_true_give_way_to_the_receipt(timestamp: Any) -> None:
    found = decode(record(timestamp=timestamp))
    assert found.evidence == Evidence(sent_at=RECEIVED, said=1)
    assert found.timestamp_replaced


@pytest.mark.parametrize(
    ("errors", "code", "text"),
    [
        (None, None, None),
        ([], None, None),
        ([None], None, None),
        ("text", None, None),
        ([{}], None, None),
        ([{"code": 131026, "title": "t", "message": "m", "error_data": {"details": "d"}}], 131026, "d"),
        ([{"code": 131026, "title": "t", "message": "m", "error_data": {"details": ""}}], 131026, "m"),
        ([{"code": 131026, "title": "t", "error_data": "odd"}], 131026, "t"),
        ([{"code": 1, "title": "first"}, {"code": 0, "title": "second"}], 1, "first"),
        ([{"code": "131026", "title": 5}], None, None),
        ([{"code": True}], None, None),
        ([{"code": 2**31}], None, None),
        ([{"code": -(2**31)}], -(2**31), None),
        ([{"code": 1, "title": "a\x00b\ud83d"}], 1, "a\ufffdb\ufffd\ufffd\ufffd"),
    ],
)
def test_the_first_error_is_kept(errors: Any, code: int | None, text: str | None) -> None:
    assert evidence(status="failed", errors=errors) == Evidence(
        failed_at=AT, error_code=code, error_message=text, said=8
    )


def test_storable_text_stays_as_it_is() -> None:
    assert storable("Zustellung nicht möglich 😀") == "Zustellung nicht möglich 😀"


def test_a_message_id_is_made_storable() -> None:
    assert decode(record(id="wamid.\x00")).message_id == "wamid.\ufffd"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"status": {}}',
        b'{"status": "sent", "received_at": "2026-10-01T12:00:00+00:00"}',
        record().replace(b"2026", b"then"),
        record().replace(b"+00:00", b""),
        record(id=""),
        record(id=None),
        record(id=7),
    ],
)
def test_what_is_no_status_is_told(value: bytes | None) -> None:
    with pytest.raises(UndecodableError):
        decode(value)


@pytest.mark.parametrize(
    ("data", "row_id"),
    [
        ("0b4f7c1e-8f5a-4c1b-9d11-3f6f8f0f7a10", UUID("0b4f7c1e-8f5a-4c1b-9d11-3f6f8f0f7a10")),
        ("0B4F7C1E-8F5A-4C1B-9D11-3F6F8F0F7A10", UUID("0b4f7c1e-8f5a-4c1b-9d11-3f6f8f0f7a10")),
        ("0b4f7c1e8f5a4c1b9d113f6f8f0f7a10", None),
        ("order-4711", None),
        ("x" * 36, None),
        (None, None),
        ({"row": 1}, None),
    ],
)
def test_callback_data_names_a_row_if_it_is_a_uuid(data: Any, row_id: UUID | None) -> None:
    assert decode(record(biz_opaque_callback_data=data)).callback_id == row_id


def test_an_id_that_no_column_can_hold_is_undecodable() -> None:
    assert decode(record(id="w" * 255)).message_id == "w" * 255
    with pytest.raises(UndecodableError, match="more than 255 characters"):
        decode(record(id="w" * 256))


@pytest.mark.parametrize(
    ("number", "decoded"),
    [('"1065"', "1065"), ("null", None), ("1065", None), ('["1065"]', None), (r'"1\u0000"', "1\ufffd"), ('""', "")],
)
def test_the_number_that_sent_the_message_is_text_or_unknown(number: str, decoded: str | None) -> None:
    value = record().replace(b'"phone_number_id": "number"', f'"phone_number_id": {number}'.encode())
    assert decode(value).phone_number_id == decoded


def test_a_document_may_lack_the_number() -> None:
    assert decode(record().replace(b'"phone_number_id"', b'"something_else"')).phone_number_id is None


def test_what_is_no_evidence_names_no_row() -> None:
    status = decode(record(status="warning", biz_opaque_callback_data="0b4f7c1e-8f5a-4c1b-9d11-3f6f8f0f7a10"))
    assert (status.callback_id, status.phone_number_id) == (None, None)
