"""Processes of `viam-mcp` without what takes longest of their start, the imports: they are forked after those.

A process that has imported everything waits for orders, and forks for each of them. What comes of that is a process
as any other, with its own pipes, environment, signals and end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import viam_mcp
from viam_mcp.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parents[2]
_MOST = 2**20
"""Bytes of an order."""


class Prepared:
    """The process that waits for orders, as those see it who give them."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(descriptor)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"]},
                cwd=_ROOT,
                pass_fds=[descriptor],
            )

    async def start(
        self, words: tuple[str, ...], env: Mapping[str, str], cwd: Path | None, instead: Mapping[int, int]
    ) -> Forked:
        """Start the command with these words, and with these descriptors instead of some of its pipes."""
        pipes = [os.pipe() for _ in range(4)]
        (stdin, to), (out, stdout), (err, stderr), (told, report) = pipes
        order = {"words": words, "env": dict(env), "cwd": str(cwd or Path.cwd())}
        streams = [instead.get(number, pipe) for number, pipe in enumerate((stdin, stdout, stderr))]
        socket.send_fds(self._orders, [json.dumps(order).encode()], [*streams, report])
        for descriptor in (stdin, stdout, stderr, report):
            os.close(descriptor)
        reports = await _reader(told)
        pid = int(await reports.readline())
        return Forked(pid, await _writer(to), await _reader(out), await _reader(err), reports)

    def end(self) -> None:
        """Let it end, with all that it started."""
        self._orders.close()
        assert self._process.wait() == 0


prepared = cache(Prepared)


class Forked:
    """A process that was forked, with what `asyncio.subprocess.Process` has."""

    def __init__(
        self,
        pid: int,
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
        reports: asyncio.StreamReader,
    ) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr
        self.returncode: int | None = None
        self._reports = reports

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(await self._reports.readline())
            await self._reports.read()
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        self.stdin.close()
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(descriptor, "wb", 0))
    return asyncio.StreamWriter(transport, protocol, None, loop)


def wait_for_orders(orders: socket.socket) -> None:
    """Fork for every order, and report the process and its end to the sender. Returns in each forked process."""
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not orders:
                    selector.unregister(key.fd)
                    _report_end(key.fd, *key.data)
                    continue
                order, descriptors, _, _ = socket.recv_fds(orders, _MOST, 4)
                if not order:
                    # What nobody waits for any more was killed, or ends with its input.
                    sys.exit()
                *streams, report = descriptors
                if (pid := os.fork()) == 0:
                    selector.close()
                    orders.close()
                    _become(streams, **json.loads(order))
                    return
                for descriptor in streams:
                    os.close(descriptor)
                os.write(report, b"%d\n" % pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, report))


def _report_end(descriptor: int, pid: int, report: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # The sender of the order may have gone.
    with suppress(BrokenPipeError):
        os.write(report, b"%d\n" % code)
    os.close(report)
    os.close(descriptor)


def _become(streams: list[int], words: list[str], env: dict[str, str], cwd: str) -> None:
    """Be the process that was ordered: these streams, and nothing else that is open."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv[1:] = words


if __name__ == "__main__":
    for module in pkgutil.walk_packages(viam_mcp.__path__, f"{viam_mcp.__name__}."):
        import_module(module.name)
    gc.freeze()  # what collects it would copy it
    wait_for_orders(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(main())
