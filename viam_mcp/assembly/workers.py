"""Several processes that serve one socket: started, started again when one ends by itself, and stopped together.

Each worker is the same command with two more descriptors: the socket to accept connections on, and one end of a socket
pair, the link to the process that started it. Over the link the worker reports that it is ready. When the link closes,
that process has ended, and the worker stops.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING

from viam_mcp.operations import FOLDER_VARIABLE, forget_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger("viam_mcp.workers")

WORKER_VARIABLE = "VIAM_MCP_WORKER"
"""The environment variable that tells a worker its descriptors: the listening socket's, and the link's."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
STEADY_SECONDS = 10.0
"""A worker that ran for this long is started again at once. Others are started again after pauses that double."""

_GRACE_SECONDS = 45.0  # longer than a worker waits for its running calls
_READY = b"1"


class WorkersError(Exception):
    """The workers cannot serve. They have written the reason themselves."""


class Workers:
    """Processes that serve a socket together.

    Args:
        command: The command of a worker.
        number: How many workers there are.
        listener: The socket.
        environment: The variables of the workers.
        on_end: Called with the process id of each worker that has ended.
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
        """Keep the workers running until `stop`, then wait until they have ended.

        Args:
            on_ready: Called once, when all of them serve.

        Raises:
            WorkersError: One could not begin to serve.
        """
        self._on_ready = on_ready
        try:
            async with asyncio.TaskGroup() as slots:
                for number in range(1, self._number + 1):
                    slots.create_task(self._keep(number))
        except* WorkersError as group:
            raise group.exceptions[0] from None

    def stop(self) -> None:
        """Have every worker finish its calls and end. Called again, it has them end at once."""
        self._stopping.set()
        for process in self._running:
            _send(process, signal.SIGTERM)

    async def _keep(self, number: int) -> None:
        """Keep one worker running."""
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
        """Run one worker to its end. Return whether it served, and its exit code."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            descriptors = self._listener.fileno(), theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**self._environment, WORKER_VARIABLE: ",".join(map(str, descriptors))},
                pass_fds=descriptors,
                # An interrupt from the terminal goes to this process alone, which passes it on once.
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

    They share the store, so that each accepts the answers to the others' questions, and a folder for their metrics.

    Raises:
        WorkersError: They cannot serve.
    """
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="viam-mcp-metrics-") as folder:
        environment = {**_not_empty(os.environ), FOLDER_VARIABLE: folder}
        command = [sys.executable, "-m", "viam_mcp", *sys.argv[1:]]
        workers = Workers(command, number, listener, environment, partial(forget_worker, folder))
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, workers.stop)
        await workers.run(on_ready)


class ParentLink:
    """A worker's link to the process that started it.

    Args:
        listener: The socket to accept connections on.
        connection: The worker's end of the link.
    """

    def __init__(self, listener: socket.socket, connection: socket.socket) -> None:
        self.listener = listener
        self._connection = connection

    def report_ready(self) -> None:
        """Report that connections are accepted."""
        self._connection.send(_READY)

    def watch(self, stop: Callable[[], None]) -> None:
        """Call `stop` when the process that started this one has ended."""
        loop = asyncio.get_running_loop()

        def closed() -> None:
            loop.remove_reader(self._connection)
            stop()

        self._connection.setblocking(False)
        loop.add_reader(self._connection, closed)


def worker(environment: Mapping[str, str] = os.environ) -> ParentLink | None:
    """Return this worker's link to the process that started it, or None if this process is no worker."""
    descriptors = environment.get(WORKER_VARIABLE)
    if descriptors is None:
        return None
    listener, connection = (socket.socket(fileno=int(number)) for number in descriptors.split(","))
    return ParentLink(listener, connection)


def _not_empty(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are not empty."""
    return {name: value for name, value in environment.items() if value}


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
