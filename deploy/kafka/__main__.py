"""``python -m deploy.kafka``: a Kafka server in the foreground, or around a command.

    python -m deploy.kafka --port 9092
    python -m deploy.kafka -- interest-stream replay ... --broker {broker}

With a command, ``{broker}`` in its arguments is the server's address, the environment has it as
``KAFKA_BOOTSTRAP``, and the exit status is the command's.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.kafka.errors import KafkaServerError
from deploy.kafka.server import KafkaServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until a signal, or until the command ends; returns the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        with _server(options) as kafka:
            print(f"Kafka {kafka.bootstrap} (log: {kafka.log_path})", flush=True)
            return _run(options.command, kafka) if options.command else _wait(kafka)
    except KafkaServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, default=None, help="port for clients; default free")
    parser.add_argument("--data", type=Path, default=None, help="folder that keeps the data")
    parser.add_argument("--heap", type=int, default=512, metavar="MiB", help="heap of the JVM")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a server setting"
    )
    parser.add_argument("command", nargs="*", help="run this with the server, after --")
    return parser


def _server(options: argparse.Namespace) -> KafkaServer:
    pairs = [setting.partition("=") for setting in options.set]
    return KafkaServer(
        data_dir=options.data,
        port=options.port,
        heap_mb=options.heap,
        properties={name: value for name, _, value in pairs},
    )


def _run(command: Sequence[str], kafka: KafkaServer) -> int:
    words = [word.replace("{broker}", kafka.bootstrap) for word in command]
    environment = os.environ | {"KAFKA_BOOTSTRAP": kafka.bootstrap}
    process = subprocess.Popen(words, env=environment)
    # Both signals are the command's to answer, in its own time; the server stays up until then.
    # Ctrl-C reaches it from the terminal by itself.
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def _wait(kafka: KafkaServer) -> int:
    print("Ctrl-C ends it.", flush=True)
    status = kafka.wait()
    print(f"error: Kafka ended with status {status}:\n{kafka.log_tail()}", file=sys.stderr)
    return 1


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
