"""A small HTTP proxy that makes things go wrong on the way, as it is told."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request; the fields combine."""

    status: int | None = None
    """Answer this without asking the real server."""
    body: bytes = b'{"detail": "made up by the proxy"}'
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    """Seconds before the request goes on."""
    drop: bool = False
    """Close the connection without an answer; the real server never hears of it."""
    swallow: bool = False
    """Let the real server do it, and close the connection without its answer."""
    cut: float | None = None
    """Send this share of the answer's bytes, under its full length."""
    rewrite: Callable[[bytes], bytes] | None = None
    """Change the body of the answer."""
    again: int = 0
    """Send the request this many times more."""


Plan = Callable[[Request], Fault | None]


class Proxy:
    """Passes requests on to ``target``; ``plan`` says what goes wrong with each."""

    def __init__(self, target: str, plan: Plan = lambda request: None) -> None:
        self.target = target
        self.plan = plan
        self.seen: list[Request] = []
        self.url = ""

    def forward(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(self.target)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        try:
            connection.request(
                request.method,
                parts.path + request.path,
                body=request.body,
                headers=request.headers,
            )
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


@contextmanager
def running_proxy(proxy: Proxy) -> Iterator[Proxy]:
    """Serve on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            request = Request(self.command, self.path, headers, body)
            proxy.seen.append(request)
            fault = proxy.plan(request) or Fault()
            if fault.delay:
                time.sleep(fault.delay)
            if fault.drop:
                self.close_connection = True
                return
            if fault.status is not None:
                self._answer(
                    fault.status, [("Content-Type", "application/json"), *fault.headers], fault.body
                )
                return
            try:
                status, answered, content = proxy.forward(request)
                for _ in range(fault.again):
                    proxy.forward(request)
            except OSError:
                self.close_connection = True
                return
            if fault.swallow:
                self.close_connection = True
                return
            if fault.rewrite is not None:
                content = fault.rewrite(content)
            kept = [(k, v) for k, v in answered if k.lower() not in _HOP_BY_HOP]
            self._answer(status, kept, content, cut=fault.cut)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815 - names that http.server looks for

        def _answer(
            self,
            status: int,
            headers: list[tuple[str, str]],
            content: bytes,
            *,
            cut: float | None = None,
        ) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if cut is None:
                self.wfile.write(content)
            else:
                self.wfile.write(content[: int(len(content) * cut)])
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that left early is part of the game

    server = Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
