"""What a log is spared."""

import logging

import pytest

from shared import logs
from shared.logs import Seldom


def record(name: str, line: int, broker: int) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "client.py", line, "no connection to %d", (broker,), None)


def test_a_line_of_aiokafka_comes_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    seldom = Seldom()
    assert seldom.filter(record("aiokafka.conn", 1, broker=1))
    assert not seldom.filter(record("aiokafka.conn", 1, broker=2))
    assert seldom.filter(record("aiokafka.conn", 2, broker=1))
    now += logs.REPEATED_AFTER_SECONDS
    assert seldom.filter(record("aiokafka.conn", 1, broker=1))


def test_a_line_of_ours_always_comes() -> None:
    seldom = Seldom()
    assert all(seldom.filter(record("status_service.consumer", 1, broker=1)) for _ in range(2))
