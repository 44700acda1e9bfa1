"""A real Apache Kafka: a node that is broker and controller, in KRaft mode."""

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deploy.local.broker import Broker, BrokerKind
from deploy.local.commands import host_environment, run_to_end
from deploy.local.kafka_jars import KAFKA_DIRECTORY
from deploy.local.ports import LOOPBACK, KeptPort

FORMAT_DEADLINE_SECONDS = 60.0

# In the plain C locale Java can't open files below a directory whose name has an accent.
LOCALE = "C.UTF-8"
# For a program that ends after a second, the second compiler never pays.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node is; each one is broker and controller."""

    number: int
    broker_port: int
    controller_port: int

    @property
    def voter(self) -> str:
        return f"{self.number}@{LOOPBACK}:{self.controller_port}"


def server_properties(node: Node, cluster: Sequence[Node]) -> Mapping[str, str]:
    """Give the settings of a node of the cluster; the internal topics are on every node, and survive one's loss."""
    replicas = str(len(cluster))
    least_in_sync = str(max(1, len(cluster) - 1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(member.voter for member in cluster),
        "listeners": f"BROKER://{LOOPBACK}:{node.broker_port},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{node.broker_port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        # Below the directory the broker runs in: a comma or an accent in the whole path would be misread.
        "log.dirs": "data",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # A killed broker may come back only when its last session has expired: nine seconds by default.
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "500",
        # A quarter of the heap is the default.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        # Few partitions: the internal topics are created when the first consumer group waits for them.
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": least_in_sync,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": least_in_sync,
        "share.coordinator.state.topic.num.partitions": "4",
    }


def new_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class ApacheKafka(Broker):
    """A node; this one is a cluster by itself."""

    kind = BrokerKind.APACHE
    java_options: ClassVar[tuple[str, ...]] = ("-Xmx512m",)
    # Four seconds on two idle cores, seven after a kill; this leaves room for a busy machine.
    start_deadline_seconds = 90.0

    def __init__(
        self,
        java: Path,
        jar_directory: Path,
        directory: Path,
        log_file: Path,
        *,
        number: int = 1,
        broker_port: int | None = None,
        controller_port: int | None = None,
    ) -> None:
        super().__init__(directory, log_file, broker_port)
        self._number = number
        self._java = java
        self._class_path = f"{KAFKA_DIRECTORY}:{jar_directory}/*"
        self._controller_port = KeptPort(directory.with_name(f"{directory.name}.controller-port"), controller_port)

    @property
    def node(self) -> Node:
        return Node(self._number, self._port.number, self._controller_port.number)

    def _ports(self) -> list[KeptPort]:
        return [*super()._ports(), self._controller_port]

    def _launch(self) -> None:
        lines = [f"{name}={value}\n" for name, value in self._properties().items()]
        (self._directory / "server.properties").write_text("".join(lines))
        self._format()
        self._daemon.start(self._command("kafka.Kafka", "server.properties"), host_environment(LOCALE), self._directory)

    def _properties(self) -> Mapping[str, str]:
        return server_properties(self.node, [self.node])

    def _cluster_id(self) -> str:
        return new_cluster_id()

    def _format(self) -> None:
        """Give an empty data directory its cluster id; one that has it stays as it is."""
        if (self._directory / "data" / "meta.properties").exists():
            return
        command = self._command(
            "kafka.tools.StorageTool",
            "format",
            # With the equals sign: an id may begin with a dash.
            f"--cluster-id={self._cluster_id()}",
            "--config=server.properties",
            options=(SHORT_LIVED,),
        )
        run_to_end(
            "the formatting of Kafka's data directory",
            command,
            self.log_file,
            FORMAT_DEADLINE_SECONDS,
            host_environment(LOCALE),
            directory=self._directory,
        )

    def _command(self, main_class: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        return [str(self._java), *self.java_options, *options, "-cp", self._class_path, main_class, *arguments]
