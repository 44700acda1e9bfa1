"""The whole stack: what is missing is started in order, and stopped in the opposite one."""

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.local.broker import Broker, BrokerKind, broker_daemon
from deploy.local.broker_choice import choose_broker
from deploy.local.commands import StartError, run_to_end
from deploy.local.interruption import obey_signals, wait_for_end, wait_until
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import SETTINGS, PostgresServer, embedded_bin_directory
from deploy.local.run_directory import RunDirectory
from deploy.local.services import CHECKOUT, PROGRAMS, Programs, ServiceProcess

DATABASE = "PrimeSMS_W"
POSTGRES_PORT = 5431
CACHE = CHECKOUT / ".cache"
# Adopting the tables of a database with data takes a while; an empty one takes a second.
MIGRATE_DEADLINE_SECONDS = 300.0
# Fifteen topics of twelve partitions take three seconds on a cold broker.
TOPICS_DEADLINE_SECONDS = 60.0
# Creating a database copies the template's 8 MB to the disk.
STATEMENT_DEADLINE_SECONDS = 60

# The caller's variables about servers, credentials and ports: they are about other places than this stack.
FOREIGN_PREFIXES = ("DATABASE_", "KAFKA_", "META_", "PG")
FOREIGN_NAMES = ("HOST", "PORT", "INTERNAL_PORT")


@dataclass(frozen=True, slots=True)
class External:
    """A database and a broker that the caller brings along, and vouches for."""

    database_url: str
    bootstrap_servers: str


@dataclass(frozen=True, slots=True)
class Started:
    """What a call has started, and whether the data is of its making too."""

    names: frozenset[str]
    fresh: bool


class Part(Protocol):
    @property
    def pid(self) -> int | None: ...
    def stop(self) -> None: ...


def inherited_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN_PREFIXES) and name.removesuffix("_FILE") not in FOREIGN_NAMES
    }


class Stack:
    """PostgreSQL, a broker and the services in one run directory; also for tests, which need only some of them."""

    def __init__(
        self,
        run_directory: Path,
        broker: BrokerKind | None = None,
        *,
        programs: Programs = PROGRAMS,
        external: External | None = None,
        postgres_settings: Mapping[str, str] = SETTINGS,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.directory = RunDirectory(run_directory)
        self.postgres = PostgresServer(
            embedded_bin_directory(),
            self.directory.file("postgres"),
            self.directory.file("postgres.log"),
            POSTGRES_PORT,
            postgres_settings,
        )
        self._asked_for = broker
        self._chosen: Broker | None = None
        self._programs = programs
        self._external = external
        self._report = report
        self._services = {service.name: ServiceProcess(service, self.directory) for service in programs.services}

    @property
    def broker(self) -> Broker:
        """The broker, chosen when it is first needed and then kept, as the directory is."""
        if self._chosen is None:
            self.directory.create()
            kept = self.directory.file("kafka.kind")
            kept_kind = BrokerKind(kept.read_text()) if kept.exists() else None
            if kept_kind is not None and self._asked_for not in (None, kept_kind):
                raise StartError(f"the stack here has the broker {kept_kind}; stop it (down) before asking for another")
            choice = choose_broker(
                kept_kind or self._asked_for,
                self.directory.file("kafka"),
                self.directory.file("kafka.log"),
                CACHE,
                self._report,
            )
            self._report(f"Broker: {choice.broker.kind} ({'as before' if kept_kind else choice.reason})")
            kept.write_text(choice.broker.kind)
            self._chosen = choice.broker
        return self._chosen

    @property
    def database_url(self) -> str:
        return self._external.database_url if self._external else self.postgres.url(DATABASE)

    @property
    def bootstrap_servers(self) -> str:
        return self._external.bootstrap_servers if self._external else self.broker.bootstrap_servers

    def up(self) -> Started:
        """Start what does not run. Raises StartError, Interrupted; what this call had started is stopped then."""
        with self.directory.locked(wait_until):
            before = self._pids()
            fresh = not self.directory.file("postgres").exists()
            try:
                self._start_missing()
            except BaseException:
                self._stop(Started(self._new_since(before), fresh), keep_logs=True)
                raise
            return Started(self._new_since(before), fresh)

    def stop(self, started: Started, *, keep_logs: bool = False) -> None:
        with self.directory.locked(wait_for_end):
            self._stop(started, keep_logs=keep_logs)

    def down(self) -> frozenset[str]:
        """Stop everything, leave nothing, and give the names of what ran."""
        running = frozenset(self._pids())
        self.stop(Started(frozenset(self._parts()), fresh=True))
        return running

    def environment(self) -> dict[str, str]:
        """Give the environment for a command that works with the running stack."""
        return {**self._inherited(), **self.directory.read_environment()}

    def start_infrastructure(self) -> None:
        """Start the broker, and PostgreSQL with an empty database."""
        self.directory.create()
        if self._external is None:
            self.start_broker()
            self.start_postgres()

    def start_postgres(self) -> None:
        self.directory.create()
        self.postgres.start()
        with self._connect("postgres") as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchall():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def start_broker(self) -> None:
        if self.broker.kind is BrokerKind.TANSU and not self.broker.runs():
            self._leave_ended_tansu()
        self.broker.start()

    def migrate(self) -> None:
        environment = {**self._inherited(), "DATABASE_URL": self.database_url}
        log_file = self.directory.file("migrate.log")
        run_to_end(
            "the schema's migration",
            self._programs.migrate,
            log_file,
            MIGRATE_DEADLINE_SECONDS,
            environment,
            directory=CHECKOUT,
        )

    def create_topics(self) -> None:
        environment = {**self._inherited(), "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}
        if self._external is None:
            environment["TOPIC_REPLICATION"] = "1"
        log_file = self.directory.file("topics.log")
        run_to_end(
            "the creation of the topics",
            self._programs.topics,
            log_file,
            TOPICS_DEADLINE_SECONDS,
            environment,
            directory=CHECKOUT,
        )

    def _start_missing(self) -> None:
        self.start_infrastructure()
        self.migrate()
        self.create_topics()
        for process in self._services.values():
            process.start(self._inherited(), self._settings(process))
        self.directory.write_environment(self._addresses_and_secrets())
        obey_signals()

    def _leave_ended_tansu(self) -> None:
        """Stop the services before a new Tansu is there: they would create topics of the wrong shape in it."""
        running = [name for name, process in self._services.items() if process.pid is not None]
        if running:
            self._report(
                "The broker has ended, and Tansu keeps nothing: its topics, messages and offsets are void. "
                f"Starting it anew, and with it {', '.join(running)}."
            )
        for name in running:
            self._services[name].stop()

    def _settings(self, process: ServiceProcess) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "DATABASE_URL": self._role_url(process.service.role),
            **{name: self.directory.secret(name) for name in process.service.secrets},
        }

    def _role_url(self, role: str) -> str:
        """Give the role a password of this stack's; the roles of a server that is not ours are left as they are."""
        if self._external is not None:
            return self._external.database_url
        password = self.directory.secret(role)
        with self._connect(DATABASE) as connection:
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.postgres.port}/{DATABASE}"

    def _connect(self, database: str) -> psycopg.Connection[TupleRow]:
        timeout = f"-c statement_timeout={STATEMENT_DEADLINE_SECONDS}s"
        return psycopg.connect(
            self.postgres.url(database), autocommit=True, connect_timeout=STATEMENT_DEADLINE_SECONDS, options=timeout
        )

    def _addresses_and_secrets(self) -> dict[str, str]:
        environment = {"DATABASE_URL": self.database_url, "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}
        for process in self._services.values():
            environment |= process.addresses()
            environment |= {name: self.directory.secret(name) for name in process.service.secrets}
        return environment

    def _inherited(self) -> Mapping[str, str]:
        # What logs in to the caller's own broker stays where that broker is used.
        return os.environ if self._external is not None else inherited_environment()

    def _parts(self) -> dict[str, Part]:
        # Without a choice of broker, which can take minutes: there may be none to stop.
        broker = self._chosen or broker_daemon(self.directory.file("kafka"), self.directory.file("kafka.log"))
        # In the order in which they stop.
        return {**self._services, "kafka": broker, "postgres": self.postgres}

    def _pids(self) -> dict[str, int]:
        return {name: pid for name, part in self._parts().items() if (pid := part.pid) is not None}

    def _new_since(self, before: Mapping[str, int]) -> frozenset[str]:
        return frozenset(name for name, pid in self._pids().items() if before.get(name) != pid)

    def _stop(self, started: Started, *, keep_logs: bool) -> None:
        """Stop these parts, the others too if one can't be stopped; then nobody needs the data of a fresh stack."""
        with contextlib.ExitStack() as stopping:
            for name, part in reversed(self._parts().items()):
                if name in started.names:
                    stopping.callback(part.stop)
        if started.fresh and not self._pids():
            self.directory.clear(keep_logs=keep_logs)
