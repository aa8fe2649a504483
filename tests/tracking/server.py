"""A real MLflow server for the tests, that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def free_port() -> int:
    """Give a port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class MLflowServer:
    """An MLflow server of the test's own, at one address however often it is started.

    Args:
        backend_uri: Where it keeps its runs.
        folder: Where it keeps its files and its log.

    Attributes:
        uri: Its address.
    """

    def __init__(self, backend_uri: str, folder: Path) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "mlflow", "server"]
        self._command += ["--backend-store-uri", backend_uri]
        self._command += ["--artifacts-destination", str(folder / "artifacts")]
        self._command += ["--port", str(port), "--workers", "1"]
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(300):
            assert self._process.poll() is None, self._log.read_text()
            try:
                urllib.request.urlopen(f"{self.uri}/health").close()
            except OSError:
                threading.Event().wait(0.2)
            else:
                return
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        """Kill it and its workers, if it runs."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
