"""Several processes that serve one socket: started, started again when one ends by itself, and stopped together.

Each worker is the same command with two descriptors more: the socket to accept connections on, and a line to
here. On the line it says that it is ready; when the line is cut, whoever started it has gone, and it stops.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING

from viam_mcp.operations import FOLDER_VARIABLE, forget_worker
from viam_mcp.policy import KEYS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger("viam_mcp.workers")

WORKER_VARIABLE = "VIAM_MCP_WORKER"
"""Tells a worker its descriptors: the socket's, and the line's."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
STEADY_SECONDS = 10.0
"""A worker that lasted as long as this is started again at once; others after pauses that double."""

_GRACE_SECONDS = 45.0  # longer than a worker gives its calls
_READY = b"1"


class WorkersError(Exception):
    """The workers cannot serve; what they wrote themselves says why."""


class Workers:
    """Processes that serve a socket together.

    Args:
        command: What starts one.
        number: How many.
        listener: The socket.
        environment: Their variables.
        on_end: Told the process id of each that has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        number: int,
        listener: socket.socket,
        environment: Mapping[str, str],
        on_end: Callable[[int], None] = lambda process: None,
    ) -> None:
        self._command = command
        self._number = number
        self._listener = listener
        self._environment = environment
        self._on_end = on_end
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._ready = 0

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Keep them running until `stop`, and then wait for them.

        Args:
            on_ready: Called once, when all of them serve.

        Raises:
            WorkersError: One could not even begin.
        """
        self._on_ready = on_ready
        try:
            async with asyncio.TaskGroup() as slots:
                for number in range(1, self._number + 1):
                    slots.create_task(self._keep(number))
        except* WorkersError as group:
            raise group.exceptions[0] from None

    def stop(self) -> None:
        """Have all of them end what they do, and then themselves; told twice, at once."""
        self._stopping.set()
        for process in self._running:
            _send(process, signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        """Keep one of them running."""
        pause, served = 0.0, False
        while not await self._stopped_within(pause):
            began = time.monotonic()
            ready, code = await self._once(number, first=not served)
            served = served or ready
            if self._stopping.is_set():
                return
            if not served:
                self.stop()
                raise WorkersError(f"worker {number} ended with {code} before it served anybody.")
            lasted = time.monotonic() - began >= STEADY_SECONDS
            pause = 0.0 if lasted else min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * pause))
            logger.warning("worker %d ended with %d, and is started again after %.1f s", number, code, pause)

    async def _once(self, number: int, *, first: bool) -> tuple[bool, int]:
        """Run one of them to its end: whether it served, and its exit code."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            descriptors = self._listener.fileno(), theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**self._environment, WORKER_VARIABLE: ",".join(map(str, descriptors))},
                pass_fds=descriptors,
                # A terminal's interrupt goes to this process, which passes it on once.
                start_new_session=True,
            )
            theirs.close()
            self._running.add(process)
            if self._stopping.is_set():
                _send(process, signal.SIGTERM)
            try:
                reader, writer = await asyncio.open_connection(sock=ours)
                ready = await reader.read(1) == _READY
                if ready:
                    logger.info("worker %d serves (process %d)", number, process.pid)
                    self._count(first=first)
                code = await self._ended(process)
                writer.close()
                return ready, code
            finally:
                self._running.discard(process)
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                self._on_end(process.pid)

    def _count(self, *, first: bool) -> None:
        self._ready += first
        if first and self._ready == self._number:
            self._on_ready()

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({ended}, timeout=_GRACE_SECONDS)
            if not ended.done():
                logger.warning("process %d does not end, and is killed", process.pid)
                process.kill()
            return await ended
        finally:
            stopping.cancel()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return self._stopping.is_set()
        return True


async def supervise(number: int, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve a socket with several processes of this command until a signal says to stop.

    They share the keys that seal confirmations, so that each takes the answers to the others' questions, and a
    folder for their numbers.

    Raises:
        WorkersError: They cannot serve.
    """
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="viam-mcp-metrics-") as folder:
        environment = {KEYS_VARIABLE: secrets.token_hex(32), **_set(os.environ), FOLDER_VARIABLE: folder}
        command = [sys.executable, "-m", "viam_mcp", *sys.argv[1:]]
        workers = Workers(command, number, listener, environment, partial(forget_worker, folder))
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, workers.stop)
        await workers.run(on_ready)


class Line:
    """A worker's line to whoever started it.

    Args:
        connection: The worker's end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def ready(self) -> None:
        """Say that connections are accepted."""
        self._connection.send(_READY)

    def watch(self, stop: Callable[[], None]) -> None:
        """Call `stop` when whoever started this has gone."""
        loop = asyncio.get_running_loop()

        def cut() -> None:
            loop.remove_reader(self._connection)
            stop()

        self._connection.setblocking(False)
        loop.add_reader(self._connection, cut)


def worker(environment: Mapping[str, str] = os.environ) -> tuple[socket.socket, Line] | None:
    """The socket and the line of this worker; None if this is not a worker."""
    descriptors = environment.get(WORKER_VARIABLE)
    if descriptors is None:
        return None
    listener, line = (socket.socket(fileno=int(number)) for number in descriptors.split(","))
    return listener, Line(line)


def _set(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are not empty."""
    return {name: value for name, value in environment.items() if value}


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
