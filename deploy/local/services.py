"""The programs of this repository that the stack runs, and a service as a process."""

import hashlib
import http.client
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import LOOPBACK, KeptPort, start_on_free_ports
from deploy.local.processes import Daemon, Ending
from deploy.local.run_directory import RunDirectory

CHECKOUT = Path(__file__).parents[2]
# A first consumer group on Tansu takes up to 11 s.
READY_DEADLINE_SECONDS = 60.0
# One question to a service's health.
ANSWER_DEADLINE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A listener: the variable that sets its port, the port it has if that is free, its address's name in .run/env."""

    variable: str
    wish: int
    address_name: str


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    command: tuple[str, ...]
    # The database role it logs in as.
    role: str
    # The last one is the internal one, which tells readiness.
    ports: tuple[ServicePort, ...]
    # Names of variables whose values the stack makes up.
    secrets: tuple[str, ...]
    ending: Ending


@dataclass(frozen=True, slots=True)
class Programs:
    migrate: tuple[str, ...]
    topics: tuple[str, ...]
    services: tuple[Service, ...]


PROGRAMS = Programs(
    migrate=(sys.executable, "-m", "schema", "migrate"),
    topics=(sys.executable, "-m", "status_service", "topics"),
    services=(
        Service(
            name="ingest",
            command=(sys.executable, "-m", "ingest_service"),
            role="ingest_service",
            ports=(
                ServicePort("PORT", 8080, "INGEST_URL"),
                ServicePort("INTERNAL_PORT", 9090, "INGEST_INTERNAL_URL"),
            ),
            secrets=("META_APP_SECRETS", "META_VERIFY_TOKENS"),
            # It promises ten seconds.
            ending=Ending(signal.SIGTERM, 15.0, signal.SIGKILL),
        ),
        Service(
            name="status",
            command=(sys.executable, "-m", "status_service"),
            role="status_service",
            ports=(ServicePort("INTERNAL_PORT", 9091, "STATUS_URL"),),
            secrets=(),
            # It promises fifteen seconds.
            ending=Ending(signal.SIGTERM, 20.0, signal.SIGKILL),
        ),
    ),
)


class ServiceProcess:
    """A service in a run directory. What it was started with is kept, so that a change is seen."""

    def __init__(self, service: Service, directory: RunDirectory) -> None:
        self.service = service
        self._ports = {
            port.variable: KeptPort(directory.file(f"{service.name}.{port.variable.lower()}"), port.wish)
            for port in service.ports
        }
        self._settings_file = directory.file(f"{service.name}.settings")
        self._daemon = Daemon(
            directory.file(f"{service.name}.pid"), directory.file(f"{service.name}.log"), service.ending
        )

    @property
    def pid(self) -> int | None:
        return self._daemon.pid

    def addresses(self) -> dict[str, str]:
        return {
            port.address_name: f"http://{LOOPBACK}:{self._ports[port.variable].number}" for port in self.service.ports
        }

    def start(self, inherited: Mapping[str, str], settings: Mapping[str, str]) -> None:
        """Start it unless it runs and is ready with these settings; one that runs with others is stopped first."""
        unchanged = self.pid is not None and self._settings_file.read_text() == self._digest(settings)
        if unchanged and self._daemon.serves(self._ready, READY_DEADLINE_SECONDS):
            return
        self.stop()
        start_on_free_ports(list(self._ports.values()), lambda: self._start(inherited, settings))

    def stop(self) -> None:
        self._daemon.stop()

    def _start(self, inherited: Mapping[str, str], settings: Mapping[str, str]) -> None:
        ports = {variable: str(port.number) for variable, port in self._ports.items()}
        self._settings_file.write_text(self._digest(settings))
        environment = {**inherited, **settings, "HOST": LOOPBACK, **ports}
        self._daemon.start(self.service.command, environment, CHECKOUT)
        self._daemon.wait_until(self._ready, READY_DEADLINE_SECONDS)

    def _ready(self) -> bool:
        ports = [self._ports[port.variable].number for port in self.service.ports]
        return all(map(self._daemon.listens_on, ports)) and _is_ready(ports[-1])

    def _digest(self, settings: Mapping[str, str]) -> str:
        return hashlib.sha256(json.dumps([self.service.command, settings], sort_keys=True).encode()).hexdigest()


def _is_ready(internal_port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, internal_port, timeout=ANSWER_DEADLINE_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
