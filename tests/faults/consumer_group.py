"""The dead members of a consumer group, which Kafka would wait for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

ANSWER_DEADLINE_SECONDS = 20.0


class ConsumerGroup:
    """A group all of whose members were killed: what waits for their sessions to expire need not."""

    def __init__(self, admin: AIOKafkaAdminClient, name: str) -> None:
        self._admin = admin
        self._name = name

    async def bury(self) -> None:
        """Let all members leave, as Kafka does 10 s after a member's last heartbeat."""
        async with asyncio.timeout(ANSWER_DEADLINE_SECONDS):
            coordinator = await self._admin.find_coordinator(self._name)
            for member in await self._members(coordinator):
                await self._admin._send_request(LeaveGroupRequest(self._name, member), coordinator)

    async def _members(self, coordinator: int) -> list[str]:
        (described,) = await self._admin.describe_consumer_groups([self._name], coordinator)
        ((_error, _name, _state, _kind, _protocol, members, *_rest),) = described.groups
        return [member[0] for member in members]


@contextlib.asynccontextmanager
async def consumer_group(bootstrap_servers: str, name: str) -> AsyncIterator[ConsumerGroup]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield ConsumerGroup(admin, name)
    finally:
        await admin.close()
