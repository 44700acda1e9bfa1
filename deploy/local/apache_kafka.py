"""A real Apache Kafka: one node that is broker and controller, in KRaft mode."""

import base64
import uuid
from collections.abc import Mapping
from pathlib import Path

from deploy.local.broker import Broker, BrokerKind
from deploy.local.commands import host_environment, run_to_end
from deploy.local.kafka_jars import KAFKA_DIRECTORY
from deploy.local.ports import LOOPBACK, KeptPort

FORMAT_DEADLINE_SECONDS = 60.0

HEAP = "-Xmx512m"
# In the plain C locale Java can't open files below a directory whose name has an accent.
LOCALE = "C.UTF-8"
# For a program that ends after a second, the second compiler never pays.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"


def server_properties(broker_port: int, controller_port: int) -> Mapping[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"BROKER://{LOOPBACK}:{broker_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{broker_port}",
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
        # One node holds the internal topics, and creates them when the first consumer group waits for it.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
    }


class ApacheKafka(Broker):
    kind = BrokerKind.APACHE
    # Four seconds on two idle cores, seven after a kill; this leaves room for a busy machine.
    start_deadline_seconds = 90.0

    def __init__(
        self,
        java: Path,
        jar_directory: Path,
        directory: Path,
        log_file: Path,
        *,
        broker_port: int | None = None,
        controller_port: int | None = None,
    ) -> None:
        super().__init__(directory, log_file, broker_port)
        self._java = java
        self._class_path = f"{KAFKA_DIRECTORY}:{jar_directory}/*"
        self._controller_port = KeptPort(directory.with_name(f"{directory.name}.controller-port"), controller_port)

    def _ports(self) -> list[KeptPort]:
        return [*super()._ports(), self._controller_port]

    def _launch(self) -> None:
        properties = server_properties(self._port.number, self._controller_port.number)
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        (self._directory / "server.properties").write_text("".join(lines))
        self._format()
        self._daemon.start(self._command("kafka.Kafka", "server.properties"), host_environment(LOCALE), self._directory)

    def _format(self) -> None:
        """Give an empty data directory its cluster id; one that has it stays as it is."""
        if (self._directory / "data" / "meta.properties").exists():
            return
        # With the equals sign below: an id may begin with a dash.
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._command(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",
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
        return [str(self._java), HEAP, *options, "-cp", self._class_path, main_class, *arguments]
