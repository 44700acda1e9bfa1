"""What tests need and a machine may lack: they are skipped for these reasons, and for no other."""

import functools
import os
import tempfile
from pathlib import Path

import pytest

from deploy.local.broker import BrokerKind
from deploy.local.broker_choice import broker_kind, choose_broker
from deploy.local.commands import StartError
from deploy.local.stack import CACHE
from tests.faults.small_disk import MountError, mounted

# Where Debian's is.
NGINX = "/usr/sbin/nginx"
PROMTOOL = "/usr/bin/promtool"


def explains(skip: pytest.TestReport) -> bool:
    """Tell whether a test here was skipped for what this machine does lack."""
    if not isinstance(skip.longrepr, tuple):
        return False
    reason = skip.longrepr[2].removeprefix("Skipped: ")
    if skip.nodeid.startswith("tests/integration/test_edge.py"):
        return reason == nginx()
    if skip.nodeid.startswith("tests/deploy/"):
        return reason == prometheus()
    return skip.nodeid.startswith("tests/faults/") and reason in {apache_kafka(), mounts()}


def nginx() -> str | None:
    return None if Path(NGINX).exists() else f"{NGINX} is not there: apt-get install nginx-light"


def prometheus() -> str | None:
    return None if Path(PROMTOOL).exists() else f"{PROMTOOL} is not there: apt-get install prometheus"


@functools.cache
def apache_kafka() -> str | None:
    """Fetch Apache Kafka where that was never done; tell why it can't be had."""
    if broker_kind(os.environ.get("BROKER")) is BrokerKind.TANSU:
        return "BROKER=tansu asks for no Apache Kafka, and three Tansu brokers are no cluster"
    with tempfile.TemporaryDirectory() as directory:
        try:
            choose_broker(BrokerKind.APACHE, Path(directory, "kafka"), Path(directory, "kafka.log"), CACHE, print)
        except StartError as error:
            return str(error).splitlines()[0]
    return None


@functools.cache
def mounts() -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            with mounted(Path(directory, "disk"), mebibytes=1):
                return None
        except MountError as error:
            return f"no file system can be mounted here: {error}"
