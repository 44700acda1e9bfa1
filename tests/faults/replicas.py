"""Who leads and who follows, as one broker sees it."""

import io
import socket
import struct
from dataclasses import dataclass

from aiokafka.protocol.metadata import MetadataResponse_v1

from deploy.local.broker import ANSWER_DEADLINE_SECONDS, _ask
from deploy.local.ports import LOOPBACK

# Metadata, version 1: no list of topics asks for all.
_ALL_TOPICS = struct.pack(">hhihi", 3, 1, 0, -1, -1)
# DescribeQuorum, version 0, of the cluster's own log: one topic with one partition. Lengths are given plus one.
_LOG = b"__cluster_metadata"
_QUORUM = struct.pack(f">hhihx bb{len(_LOG)}s bi xxx", 55, 0, 0, -1, 2, len(_LOG) + 1, _LOG, 2, 0)
# Error, two lengths and the topic's name; then a length, the partition's number and error, and its leader.
_QUORUM_ANSWER = f">xh 2x{len(_LOG)}x x4xhi"


@dataclass(frozen=True, slots=True)
class Partition:
    topic: str
    number: int
    # -1 while there is none.
    leader: int
    in_sync: frozenset[int]


def partitions(port: int) -> list[Partition]:
    """Give every partition of every topic. Raises OSError."""
    answer = MetadataResponse_v1.decode(io.BytesIO(_answer(port, _ALL_TOPICS)))
    return [
        Partition(topic, number, leader, frozenset(in_sync))
        for _error, topic, _internal, found in answer.topics
        for _error, number, leader, _replicas, in_sync in found
    ]


def controller(port: int) -> int:
    """Give the node that leads the cluster's own log, -1 while the broker there knows of none. Raises OSError."""
    answer = _answer(port, _QUORUM)
    # An error's answer has no topics.
    if len(answer) < struct.calcsize(_QUORUM_ANSWER):
        return -1
    _error, _partition_error, leader = struct.unpack_from(_QUORUM_ANSWER, answer)
    return int(leader)


def _answer(port: int, request: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), ANSWER_DEADLINE_SECONDS) as connection:
        try:
            return _ask(connection, request)
        except struct.error:
            raise ConnectionError("the broker left before it had answered") from None
