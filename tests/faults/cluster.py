"""Three Apache Kafka brokers that tests kill, hang and start again."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from deploy.local.apache_kafka import ApacheKafka, Node, new_cluster_id, server_properties
from deploy.local.interruption import wait_until
from deploy.local.ports import KeptPort, is_free
from tests.faults import processes, replicas
from tests.faults.replicas import Partition

NUMBERS = (1, 2, 3)
SETTINGS = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    # The loss of any broker is over within 6 s, of the controller too; a busy machine's pauses are no loss.
    "broker.session.timeout.ms": "2500",
    "replica.lag.time.max.ms": "2500",
    "controller.quorum.fetch.timeout.ms": "1500",
    "controller.quorum.election.timeout.ms": "500",
    # A deleted topic would be loaded by each start for a minute more.
    "log.segment.delete.delay.ms": "1000",
}
# A killed process lets go of its ports within a tenth of a second.
RELEASE_DEADLINE_SECONDS = 10.0
# A broker that comes back copies what it has missed.
IN_SYNC_DEADLINE_SECONDS = 60.0


class ClusterBroker(ApacheKafka):
    # Without the second compiler three of them start on two cores in 7 s instead of 11; their throughput is not tested.
    java_options: ClassVar[tuple[str, ...]] = ("-Xmx320m", "-XX:TieredStopAtLevel=1")

    def __init__(self, cluster: "KafkaCluster", java: Path, jars: Path, directory: Path, number: int) -> None:
        super().__init__(java, jars, directory / f"broker-{number}", directory / f"broker-{number}.log", number=number)
        self._cluster = cluster

    @property
    def kept_ports(self) -> list[KeptPort]:
        return super()._ports()

    @property
    def is_paused(self) -> bool:
        return processes.is_paused(self.pid)

    def kill(self) -> None:
        processes.kill(self._running_pid())
        released = wait_until(lambda: all(is_free(port.number) for port in self.kept_ports), RELEASE_DEADLINE_SECONDS)
        assert released, f"broker {self.node.number} is killed and a port of its own still taken"

    def pause(self) -> None:
        processes.pause(self._running_pid())

    def resume(self) -> None:
        processes.resume(self._running_pid())

    def stop(self) -> None:
        if self.is_paused:
            self.resume()
        super().stop()

    def partitions(self, topic: str | None = None) -> list[Partition]:
        """Tell who leads and who follows, as this broker sees it: of one topic, or of all. Raises OSError."""
        found = replicas.partitions(self.node.broker_port)
        return [partition for partition in found if topic in {None, partition.topic}]

    def _running_pid(self) -> int:
        pid = self.pid
        assert pid is not None, f"broker {self.node.number} does not run"
        return pid

    def _ports(self) -> list[KeptPort]:
        """Give none that may be replaced by another: the other brokers would not find it there."""
        return []

    def _properties(self) -> Mapping[str, str]:
        return {**server_properties(self.node, self._cluster.nodes), **SETTINGS}

    def _cluster_id(self) -> str:
        return self._cluster.id


class KafkaCluster:
    """Three brokers that are controllers too: two are a quorum, and enough to acknowledge a record."""

    def __init__(self, java: Path, jars: Path, directory: Path) -> None:
        self.id = new_cluster_id()
        self.brokers = [ClusterBroker(self, java, jars, directory, number) for number in NUMBERS]
        _keep_apart([port for broker in self.brokers for port in broker.kept_ports])

    @property
    def nodes(self) -> list[Node]:
        return [broker.node for broker in self.brokers]

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def start(self) -> None:
        """Start what does not run; all at once, for none answers before two do."""
        with ThreadPoolExecutor(len(self.brokers)) as starting:
            list(starting.map(ClusterBroker.start, self.brokers))

    def stop(self) -> None:
        """Kill them all: nobody needs their data any more, and the last ones would wait for a quorum to leave."""
        for broker in self.brokers:
            if broker.pid is not None:
                broker.kill()
            broker.stop()

    def repair(self) -> None:
        """Undo whatever a test has done to the brokers."""
        for broker in self.brokers:
            if broker.is_paused:
                broker.resume()
        self.start()
        assert wait_until(self.is_whole, IN_SYNC_DEADLINE_SECONDS), self._any_at_work().partitions()

    def is_whole(self) -> bool:
        """Tell whether every broker sees all replicas in sync: one that has just come back sees the past."""
        everywhere = set(NUMBERS)
        try:
            return all(partition.in_sync == everywhere for broker in self.brokers for partition in broker.partitions())
        except OSError:
            return False

    def leader(self, topic: str, number: int) -> ClusterBroker | None:
        """Give the leader of a partition, None while it has none."""
        partitions = self._any_at_work().partitions(topic)
        leader = next(partition.leader for partition in partitions if partition.number == number)
        return self._brokers_by_number().get(leader)

    def controller(self) -> ClusterBroker | None:
        """Give the broker that decides who leads, None while there is none; its loss takes longest."""
        return self._brokers_by_number().get(replicas.controller(self._any_at_work().node.broker_port))

    def _any_at_work(self) -> ClusterBroker:
        return next(broker for broker in self.brokers if broker.pid is not None and not broker.is_paused)

    def _brokers_by_number(self) -> dict[int, ClusterBroker]:
        return {broker.node.number: broker for broker in self.brokers}


def _keep_apart(ports: Sequence[KeptPort]) -> None:
    """Choose again where a port was chosen twice: it is free until the first one listens."""
    taken: set[int] = set()
    for port in ports:
        while port.number in taken:
            port.choose_another()
        taken.add(port.number)
