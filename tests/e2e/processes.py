"""The command `viam-mcp` as processes of its own, watched through their pipes."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
import termios
from array import array
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.prepared import Forked, prepared
from tests.pace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

COMMAND = (sys.executable, "-m", "viam_mcp")
_PIPE_BYTES = 65_536
"""How much a pipe holds that nobody reads."""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """What a process sees: a home of its own, these variables, and no credentials of the user who runs the tests."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **variables}


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it had said that nobody had read before."""

    code: int
    stdout: str
    stderr: str


class Running:
    """A process with pipes."""

    def __init__(self, process: asyncio.subprocess.Process | Forked) -> None:
        self._process = process
        self.pid = process.pid
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr

    async def line(self) -> str:
        """The next line of its standard output, "" at the end of it."""
        async with asyncio.timeout(PATIENCE):
            return (await self._stdout.readline()).decode()

    async def errors(self) -> AsyncIterator[str]:
        """The lines of its standard error, as they come."""
        while line := await self._stderr.readline():
            yield line.decode()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def memory(self) -> int:
        """How many bytes of it are in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def send(self, *lines: bytes) -> None:
        """Write lines to its standard input."""
        for line in lines:
            self.stdin.write(line + b"\n")
        async with asyncio.timeout(PATIENCE):
            await self.stdin.drain()

    async def request(self, method: str, **params: Any) -> Any:
        """Make a JSON-RPC request of the 2025 era and wait for its answer; notifications in between are dropped."""
        await self.send(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}).encode())
        while (answer := json.loads(await self.line())).get("id") != method:
            assert "method" in answer, answer
        return answer

    async def initialize(self) -> Any:
        """Shake hands as a client of the 2025 era."""
        answer = await self.request(
            "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "test", "version": "0"}
        )
        await self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode())
        return answer["result"]

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; the result, which may be an error result."""
        return (await self.request("tools/call", name=tool, arguments=arguments))["result"]

    @contextmanager
    def reading_paused(self) -> Iterator[None]:
        """Inside, nothing is taken from its standard output and its standard error, whose pipes fill up."""
        transports = [reader._transport for reader in (self._stdout, self._stderr)]  # type: ignore[attr-defined]
        for transport in transports:
            transport.pause_reading()
        try:
            yield
        finally:
            for transport in transports:
                transport.resume_reading()

    async def until_stuck(self) -> None:
        """Wait until it cannot write to its standard output any more, because nobody reads."""
        pipe = self._stdout._transport.get_extra_info("pipe").fileno()  # type: ignore[attr-defined]
        waiting = array("i", [0])
        async with asyncio.timeout(PATIENCE):
            while waiting[0] < _PIPE_BYTES:
                await asyncio.sleep(0.01)
                fcntl.ioctl(pipe, termios.FIONREAD, waiting)

    async def code(self) -> int:
        """Wait until it ends, whether or not anybody reads what it says; its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()

    def stop_reading(self) -> None:
        """Close our end of its standard output."""
        self._stdout._transport.close()  # type: ignore[attr-defined]

    async def end(self, *, close: bool = True) -> Ended:
        """Wait until it ends, after its standard input was closed unless told otherwise."""
        if close:
            self.stdin.close()
        async with asyncio.timeout(PATIENCE):
            output, errors = await asyncio.gather(self._stdout.read(), self._stderr.read())
            return Ended(await self._process.wait(), output.decode(), errors.decode())


@asynccontextmanager
async def running(
    *command: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    instead: Mapping[int, int] | None = None,
    fresh: bool = False,
) -> AsyncIterator[Running]:
    """A process until the block is left; then it is gone, whatever happened.

    Args:
        command: What runs. Where that is `viam-mcp`, its imports have been done, for they take a second.
        env: All of its environment.
        cwd: Where it runs.
        instead: What it has instead of some of its pipes: open descriptors, by number.
        fresh: Have `viam-mcp` do its imports itself.
    """
    process: Forked | asyncio.subprocess.Process
    if command[: len(COMMAND)] == COMMAND and not fresh:
        process = await prepared().start(command[len(COMMAND) :], env, cwd, instead or {})
    else:
        assert not instead
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            cwd=cwd,
            limit=2**26,
        )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(*arguments: str, env: Mapping[str, str], cwd: Path | None = None, fresh: bool = False) -> Ended:
    """The command with these arguments, run to its end."""
    async with running(*COMMAND, *arguments, env=env, cwd=cwd, fresh=fresh) as process:
        return await process.end()


def variables(lines: str) -> dict[str, str]:
    """What lines such as `NAME=value` set."""
    return dict(line.split("=", 1) for line in lines.splitlines())
