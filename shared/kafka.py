"""Kafka as both services reach it: connection settings, and the topics created or checked."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.metadata import MetadataRequest
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_exponential,
    wait_fixed,
)

from shared.settings import ServiceSettings
from shared.topics import Topic

# How long a start waits for brokers that are starting too; a platform restarts us afterwards.
CONNECT_DEADLINE_SECONDS: Final = 30.0
# One admin request; creating 15 topics of 12 partitions on a cold broker took 3 s.
ADMIN_DEADLINE_SECONDS: Final = 30.0
CLOSE_DEADLINE_SECONDS: Final = 2.0
# Brokers hear of a new topic within a fraction of a second, busy ones within some.
CREATED_PAUSE_SECONDS: Final = 0.1
HEARD_DEADLINE_SECONDS: Final = 5.0

TOPIC_ALREADY_EXISTS: Final = 36


class KafkaUnavailableError(Exception):
    """Kafka cannot be reached; the text says where."""


class TopicsError(Exception):
    """The topics are not as the services need them; the text names each difference."""


def connection(settings: ServiceSettings) -> dict[str, Any]:
    """Give the connection arguments that aiokafka's producer, consumer and admin client share."""
    protocol = settings.kafka_security_protocol
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": protocol,
    }
    if protocol.endswith("SSL"):
        arguments["ssl_context"] = create_ssl_context(
            cafile=settings.kafka_ssl_cafile, certfile=settings.kafka_ssl_certfile, keyfile=settings.kafka_ssl_keyfile
        )
    if protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        arguments["sasl_mechanism"] = settings.kafka_sasl_mechanism
        arguments["sasl_plain_username"] = settings.kafka_sasl_username
        arguments["sasl_plain_password"] = password.get_secret_value() if password else None
    return arguments


async def create_topics(
    settings: ServiceSettings, topics: Iterable[Topic], partitions: int, replication: int
) -> list[str]:
    """Create the topics that are missing and give their names. Raises TopicsError, KafkaUnavailableError."""
    admin = await _admin(settings)
    try:
        async with asyncio.timeout(ADMIN_DEADLINE_SECONDS):
            existing = set(await admin.list_topics())
            insync = min_insync_replicas(replication)
            new = [
                NewTopic(name, partitions, replication, topic_configs=topic.configuration(insync))
                for topic in topics
                if (name := topic.name(settings.topic_prefix)) not in existing
            ]
            if not new:
                return []
            response = await admin.create_topics(new)
            # Another process may create the same topics at the same moment.
            refused = [error for error in response.topic_errors if error[1] not in (0, TOPIC_ALREADY_EXISTS)]
            if refused:
                raise TopicsError("\n".join(f"{error[0]}: {for_code(error[1]).__name__}" for error in refused))
            # The broker that answers next may not have heard of them yet.
            heard = AsyncRetrying(retry=retry_if_result(bool), wait=wait_fixed(CREATED_PAUSE_SECONDS))
            await heard(_missing, admin, [topic.name for topic in new])
    except TimeoutError:
        raise KafkaUnavailableError(f"Kafka did not create the topics within {ADMIN_DEADLINE_SECONDS:.0f} s") from None
    finally:
        await closed(admin.close(), CLOSE_DEADLINE_SECONDS)
    return [topic.name for topic in new]


def min_insync_replicas(replication: int) -> int:
    """Let one replica be away without stopping the producers."""
    return max(1, replication - 1)


async def check_topics(settings: ServiceSettings, topics: Iterable[Topic], least_insync: int = 1) -> None:
    """Raise TopicsError if a topic is missing, or takes less, keeps less in sync or cleans up otherwise than declared.

    More partitions or another retention are the operator's choice.
    """
    declared = {topic.name(settings.topic_prefix): topic for topic in topics}
    admin = await _admin(settings)
    # Each question goes to another broker, and one may not have heard of a topic that was just created.
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(TopicsError),
        stop=stop_after_delay(HEARD_DEADLINE_SECONDS),
        wait=wait_fixed(CREATED_PAUSE_SECONDS),
        reraise=True,
    )
    try:
        async with asyncio.timeout(ADMIN_DEADLINE_SECONDS):
            await attempts(_check, admin, declared, least_insync)
    except TimeoutError:
        raise KafkaUnavailableError(
            f"Kafka did not describe the topics within {ADMIN_DEADLINE_SECONDS:.0f} s"
        ) from None
    finally:
        await closed(admin.close(), CLOSE_DEADLINE_SECONDS)


async def _check(admin: AIOKafkaAdminClient, declared: Mapping[str, Topic], least_insync: int) -> None:
    missing = await _missing(admin, declared)
    if missing:
        hint = "create them with `python -m status_service topics`"
        raise TopicsError(f"missing topics: {', '.join(missing)}; {hint}")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in declared]
    differences = []
    for response in await admin.describe_configs(resources):
        for error_code, _, _, name, entries in response.resources:
            found = {entry[0]: entry[1] for entry in entries}
            refusal = [f"cannot be described: {for_code(error_code).__name__}"] if error_code else []
            differences += [f"{name}: {text}" for text in refusal or _differences(declared[name], found, least_insync)]
    if differences:
        raise TopicsError("topics differ from what is declared:\n" + "\n".join(sorted(differences)))


def _differences(topic: Topic, found: Mapping[str, str], least_insync: int) -> list[str]:
    differences = []
    if int(found.get("max.message.bytes", 0)) < topic.max_message_bytes:
        differences.append(f"max.message.bytes is {found.get('max.message.bytes')}, needs {topic.max_message_bytes}")
    if int(found.get("min.insync.replicas", 0)) < least_insync:
        differences.append(f"min.insync.replicas is {found.get('min.insync.replicas')}, needs {least_insync}")
    cleanup = topic.configuration(1)["cleanup.policy"]
    if cleanup not in found.get("cleanup.policy", "").split(","):
        differences.append(f"cleanup.policy is {found.get('cleanup.policy')}, needs {cleanup}")
    return differences


async def _missing(admin: AIOKafkaAdminClient, names: Iterable[str]) -> list[str]:
    # All topics are listed rather than ours asked for: asking creates a topic where auto-creation is on.
    return sorted(set(names) - set(await admin.list_topics()))


async def _admin(settings: ServiceSettings) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=int(ADMIN_DEADLINE_SECONDS * 1000))
    try:
        await connect(admin.start, settings)
    except KafkaUnavailableError:
        await closed(admin.close(), CLOSE_DEADLINE_SECONDS)
        raise
    return admin


async def connect(start: Callable[[], Awaitable[None]], settings: ServiceSettings) -> None:
    """Start an aiokafka client, again and again until CONNECT_DEADLINE_SECONDS. Raises KafkaUnavailableError."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(KafkaConnectionError),
        wait=wait_exponential(multiplier=0.2, max=3),
        stop=stop_after_delay(CONNECT_DEADLINE_SECONDS),
        reraise=True,
    )
    try:
        # The last attempt may be one that gets no answer.
        async with asyncio.timeout(2 * CONNECT_DEADLINE_SECONDS):
            await attempts(start)
    except (KafkaError, TimeoutError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else str(error)
        raise KafkaUnavailableError(f"Kafka at {settings.kafka_bootstrap_servers}: {reason}") from None


async def any_answers(client: AIOKafkaClient) -> bool:
    """Tell whether a broker answers; one that hangs says nothing about the others."""
    # Nobody tells a client that a broker which hangs leads nothing any more: by itself it asks after five minutes.
    client.force_metadata_update()
    asked = [asyncio.create_task(_answers(client, broker.nodeId)) for broker in client.cluster.brokers()]
    try:
        for answer in asyncio.as_completed(asked):
            if await answer:
                return True
        return False
    finally:
        for question in asked:
            question.cancel()


async def _answers(client: AIOKafkaClient, node: int) -> bool:
    try:
        await client.send(node, MetadataRequest([]))
    except KafkaError:
        return False
    return True


async def closed(stop: Coroutine[Any, Any, None], deadline: float) -> bool:
    """Stop an aiokafka client, or leave it after `deadline` seconds: its stop can hang for ever (aiokafka #1101).

    In a task of its own: a stop that cancels aiokafka's tasks can end with their cancellation, which is not ours.
    """
    stopping = asyncio.create_task(stop)
    await asyncio.wait([stopping], timeout=deadline)
    if not stopping.done():
        stopping.cancel()
        return False
    return not stopping.cancelled() and stopping.exception() is None
