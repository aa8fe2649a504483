"""Real servers for the tests: each of its own, at an address of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# A server that imports all of MLflow on a busy machine.
STARTS_WITHIN_S = 120.0


def free_port() -> int:
    """Give a port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A server that can be killed, and started again at the same address.

    As a context it runs for as long as a block does.

    Args:
        command: The server and its arguments; ``--host`` and ``--port`` are added.
        folder: Where it works, and writes its log.
        health: What follows the address of a page that says that the server is there.

    Attributes:
        uri: Its address.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, health: str) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [*command, "--host", "127.0.0.1", "--port", str(port)]
        self._folder = folder
        self._health = health
        self._log = folder / f"server-{port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: It does not; the message is its log.
        """
        # What MLflow's server starts for the evaluation of language models, seven processes.
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        pause_s = 0.2
        for _ in range(int(STARTS_WITHIN_S / pause_s)):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.uri}{self._health}").close()
                return
            threading.Event().wait(pause_s)
        raise RuntimeError(f"No server came up:\n{self._log.read_text(errors='replace')}")

    def kill(self) -> None:
        """Kill it and its workers, if it runs."""
        if self._process is not None and self._process.poll() is None:
            # Its workers are in its session, of which it is the leader.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        """Kill it."""
        self.kill()


def mlflow_server(backend_uri: str, folder: Path) -> Server:
    """Give an MLflow server.

    Args:
        backend_uri: Where its runs are.
        folder: Where their files are.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", backend_uri]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    return Server(command, folder, health="/health")
