"""One Apache Kafka server as a child process."""

from __future__ import annotations

import base64
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.kafka.errors import KafkaServerError
from deploy.kafka.jars import fetch_jars, find_java
from deploy.kafka.probe import live_brokers
from deploy.kafka.process import Startable, free_port
from deploy.kafka.properties import HOST, Node, as_text, server_properties

# Up in 4 s on two idle cores; a busy machine may take ten times as long.
START_TIMEOUT_S = 180.0
# Kafka moves leadership and syncs its logs before it leaves; one node needs about a second.
STOP_TIMEOUT_S = 20.0
# How often a starting server is asked. The answer decides, not the time.
ASK_EVERY_S = 0.05


def new_cluster_id() -> str:
    """A random Kafka cluster id: 16 bytes in URL-safe base64, never starting with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):  # Kafka's own tool would take it for an option
            return text


class KafkaServer(Startable):
    """A Kafka 4 node in KRaft combined mode on 127.0.0.1; a context manager.

    The address stays the same over restarts; so does the data, until the context ends (if the
    folder is the server's own) or for good (if ``data_dir`` was given).

    Args:
        data_dir: folder of the data, settings and log; default a new temporary one.
        port: port for clients; default a free one.
        heap_mb: heap of the JVM in MiB.
        listeners: further listeners, e.g. ``"SASL_PLAINTEXT://127.0.0.1:9095"``.
        users: names and passwords of SCRAM users (both mechanisms), only used when the data
            folder is new.
        advertised: what clients of a listener are told instead, see ``server_properties``.
        properties: further server settings; they win over ours.
        node: its place in a cluster; default the only node of one.

    Raises:
        MissingToolError: Java, or Maven for the first fetch, is missing.
        KafkaServerError: the server didn't start; the message ends with its log.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        heap_mb: int = 512,
        listeners: Sequence[str] = (),
        users: Mapping[str, str] | None = None,
        advertised: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        node: Node | None = None,
    ) -> None:
        self._java = find_java()
        self._jars = fetch_jars()
        super().__init__(data_dir, "kafka-")
        self.port = port or free_port()
        self.heap_mb = heap_mb
        node = node or Node(1, free_port())
        self.cluster_id = node.cluster_id or new_cluster_id()
        self._users = dict(users or {})
        self._settings = server_properties(
            node,
            port=self.port,
            log_dir=str(self.folder / "data"),
            listeners=listeners,
            advertised=advertised,
            extra=properties,
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, ``host:port``."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the JVM while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log_path(self) -> Path:
        """File that the server logs to."""
        return self.folder / "server.log"

    @property
    def _properties_path(self) -> Path:
        return self.folder / "server.properties"

    def start(self) -> None:
        """Start, and return when a client's request gets a full answer.

        Raises:
            KafkaServerError: it runs already, it ended, or it wasn't ready within 60 s.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting: a node of a cluster is ready once most of them are up.

        Raises:
            KafkaServerError: it runs already.
        """
        if self.pid is not None:
            raise KafkaServerError(f"the server at {self.bootstrap} runs already; stop it first")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties_path.write_text(as_text(self._settings))
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal must reach the clients first.
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", str(self._properties_path), heap_mb=self.heap_mb),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _command(self, main: str, *arguments: str, heap_mb: int) -> list[str]:
        log4j = Path(__file__).with_name("log4j2.properties")
        return [
            self._java,
            f"-Xmx{heap_mb}m",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={log4j}",
            "-cp",
            f"{self._jars}/*",
            main,
            *arguments,
        ]

    def _format(self) -> None:
        arguments = ["format", "-t", self.cluster_id, "-c", str(self._properties_path)]
        for name, password in self._users.items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                arguments += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        command = self._command("kafka.tools.StorageTool", *arguments, heap_mb=256)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KafkaServerError(
                f"the storage in {self.folder} couldn't be formatted; are the settings in "
                f"{self._properties_path} right?\n{done.stdout}{done.stderr}"
            )

    def wait_ready(self, brokers: int = 1) -> None:
        """Wait until the server answers, and knows so many brokers of its cluster.

        Raises:
            KafkaServerError: it ended, or it wasn't ready within 60 s.
        """
        process = self._process
        assert process is not None, "launch() first"
        deadline = time.monotonic() + START_TIMEOUT_S
        while live_brokers(HOST, self.port) < brokers:
            if process.poll() is not None:
                self._fail(f"ended with exit status {process.returncode} while starting")
            if time.monotonic() > deadline:
                self.kill()
                self._fail(f"wasn't ready within {START_TIMEOUT_S:.0f} s")
            time.sleep(ASK_EVERY_S)

    def _fail(self, what: str) -> None:
        raise KafkaServerError(
            f"Kafka at {self.bootstrap} {what}; from {self.log_path}:\n"
            + ("\n".join(self.log_problems()) or self.log_tail())
        )

    def log_problems(self) -> list[str]:
        """What the server's log says went wrong, each said once: errors and their causes."""
        marks = (" ERROR ", " FATAL ", "Caused by: ", "Exception in thread")
        lines = self._log_lines()
        return list(dict.fromkeys(line for line in lines if any(mark in line for mark in marks)))

    def log_tail(self, lines: int = 25) -> str:
        """The last lines of the server's log."""
        return "\n".join(self._log_lines()[-lines:])

    def _log_lines(self) -> list[str]:
        if not self.log_path.exists():
            return []
        return self.log_path.read_text(errors="replace").splitlines()

    def stop(self) -> None:
        """Stop in order; by force after 20 s. Does nothing if it doesn't run."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL), and wait until it is gone."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until the server ends by itself; its exit status.

        Raises:
            KafkaServerError: it was never started.
        """
        if self._process is None:
            raise KafkaServerError("the server wasn't started; call start() first")
        return self._process.wait()

    def restart(self) -> None:
        """Stop in order, and start on the same data at the same address."""
        self.stop()
        self.start()
