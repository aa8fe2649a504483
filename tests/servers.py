"""Real servers for the tests: each of its own, at an address of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
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


Fate = Literal["pass", "refuse", "swallow"]
"""What becomes of a request: it goes through; is answered 503; or goes through, and its answer is
lost."""


class Proxy:
    """What stands between a client and a server, and breaks some of what goes through.

    Attributes:
        uri: Its address.
        asked: What it was asked, each as method and path.
        fate_of: Tells what becomes of a request, from method and path.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.asked: list[tuple[str, str]] = []
        self.fate_of: Callable[[str, str], Fate] = lambda method, path: "pass"  # noqa: ARG005


@contextlib.contextmanager
def proxy_of(target: str) -> Iterator[Proxy]:
    """Run a proxy while a block does.

    Args:
        target: The server's address.
    """

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            path = self.path.partition("?")[0]
            proxy.asked.append((self.command, path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fate = proxy.fate_of(self.command, path)
            if fate == "refuse":
                self.answer(503, b"")
                return
            request = urllib.request.Request(
                f"{target}{self.path}", data=body or None, method=self.command
            )
            request.add_header("Content-Type", self.headers.get("Content-Type", ""))
            try:
                with urllib.request.urlopen(request) as answer:
                    status, content = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            if fate == "swallow":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.answer(status, content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
