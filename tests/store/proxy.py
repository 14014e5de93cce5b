"""A TCP proxy before a server that cuts its connections when a test says so."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Cut(Enum):
    """When connections are cut."""

    BEFORE = "the request does not arrive"
    AFTER = "the request arrives, and its answer does not"
    SILENT = "nothing arrives any more, and nobody is told"


class Proxy:
    """Passes bytes on, until a request holds what a test waits for.

    Args:
        port: Where the server listens.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._cut: tuple[bytes, Cut] | None = None
        self.cuts = 0
        self.is_refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self._ended = threading.Event()

    def cut(self, request: bytes, how: Cut) -> None:
        """Cut the connection that sends this next."""
        self._cut = (request, how)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_refusing:
                client.close()
                continue
            thread = threading.Thread(target=self._pass_on, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server)) as server, suppress(OSError):
            while not self._ended.is_set():
                readable, _, _ = select.select([client, server], [], [], 0.05)
                for one in readable:
                    data = one.recv(65_536)
                    if not data:
                        return
                    if one is client and self._cut is not None and self._cut[0] in data:
                        how, self._cut = self._cut[1], None
                        self.cuts += 1
                        if how is Cut.AFTER:
                            server.sendall(data)
                            # The answer means that it took effect.
                            server.recv(65_536)
                        if how is Cut.SILENT:
                            self._ended.wait(30)
                        return
                    (server if one is client else client).sendall(data)
