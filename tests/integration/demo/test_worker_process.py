from __future__ import annotations

import sys
import threading
import tomllib
from pathlib import Path

import pytest

from streams.demo.worker_process import (
    WorkerProcess,
    WorkerProcessError,
    free_port,
    sum_metrics,
    write_config,
)

SERVER = """
import http.server, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'# TYPE x counter\\nx_total{a="1"} 2\\nx_total{a="2"} 3\\n')
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
server.serve_forever()
"""


def process(tmp_path: Path, code: str, port: int) -> WorkerProcess:
    command = (sys.executable, "-c", code, str(port))
    return WorkerProcess(tmp_path / "c", f"http://127.0.0.1:{port}", tmp_path / "log", command)


def test_it_is_ready_answers_and_is_stopped_by_sigterm(tmp_path: Path) -> None:
    with process(tmp_path, SERVER, free_port()) as worker:
        assert worker.wait_ready(timeout_s=30)
        worker.check()
        assert worker.totals()["x_total"] == 5.0
        assert worker.stop() == 7


def test_an_end_before_its_time_is_reported_with_the_log(tmp_path: Path) -> None:
    code = "import sys; print('no broker at kafka:9092'); sys.exit(3)"
    with (
        process(tmp_path, code, free_port()) as worker,
        pytest.raises(WorkerProcessError, match=r"exit code 3(.|\n)*no broker at kafka:9092"),
    ):
        worker.wait_ready(timeout_s=30)


def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()
    with process(tmp_path, "import time; time.sleep(60)", free_port()) as worker:
        assert not worker.wait_ready(stopping)


def test_a_worker_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    with (
        process(tmp_path, "import time; time.sleep(60)", free_port()) as worker,
        pytest.raises(WorkerProcessError, match=r"isn't ready after 0.3 s"),
    ):
        worker.wait_ready(timeout_s=0.3)


def test_metrics_are_summed_by_name_and_by_each_label() -> None:
    text = (
        "# TYPE e counter\n"
        'e_total{platform="shop",action="click"} 2\n'
        'e_total{platform="shop",action="browse"} 3\n'
    )
    sums = sum_metrics(text)
    assert sums["e_total"] == 5
    assert sums['e_total{platform="shop"}'] == 5
    assert sums['e_total{action="click"}'] == 2


def test_settings_are_written_as_toml(tmp_path: Path) -> None:
    sections = {
        "service": {"bundle": tmp_path / 'odd "name"', "stop_timeout_s": 2.5},
        "kafka": {"bootstrap": ["a:1", "b:2"], "create_topics": False},
        "platforms": [{"name": "video"}, {"name": "shop", "topics": {"any": ["x", "y"]}}],
    }
    write_config(tmp_path / "w.toml", sections)
    back = tomllib.loads((tmp_path / "w.toml").read_text())
    assert back["service"]["bundle"] == str(tmp_path / 'odd "name"')
    assert back["kafka"] == sections["kafka"]
    assert back["platforms"] == sections["platforms"]
