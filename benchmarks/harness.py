"""Measuring two or more things in turns, so that whatever else the machine does strikes all of them alike."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType


@dataclass(frozen=True)
class Ratio:
    """One line of the report.

    Attributes:
        what: What was measured, and against what.
        ours: The median of ours, in seconds.
        theirs: The median of what it is compared with, in seconds.
        goal: What the ratio should be at most; None for a line that only informs.
    """

    what: str
    ours: float
    theirs: float
    goal: float | None = None

    @property
    def value(self) -> float:
        """Ours as a share of theirs."""
        return self.ours / self.theirs

    def as_json(self) -> dict[str, Any]:
        """The line for machines."""
        return {
            "what": self.what,
            "ratio": round(self.value, 4),
            "goal": self.goal,
            "met": None if self.goal is None else self.value <= self.goal,
            "ours_ms": round(self.ours * 1e3, 4),
            "theirs_ms": round(self.theirs * 1e3, 4),
        }


def in_turns(rounds: int, *measures: Callable[[], Sequence[float]]) -> list[float]:
    """The median of each of several measurements that take turns, forwards and backwards.

    Args:
        rounds: How many turns each takes, after one that does not count.
        measures: Each does its work once or more and returns the seconds that each time took.
    """
    seconds: list[list[float]] = [[] for _ in measures]
    turns = list(zip(measures, seconds, strict=True))
    for number in range(rounds + 1):
        for measure, taken in turns if number % 2 else reversed(turns):
            found = measure()
            if number:
                taken.extend(found)
    return [median(taken) for taken in seconds]


def timed(work: Callable[[], object], times: int) -> list[float]:
    """How many seconds `work` takes, each of so many times."""
    clock, taken = time.perf_counter, []
    for _ in range(times):
        begun = clock()
        work()
        taken.append(clock() - begun)
    return taken


class Server:
    """An MCP server in a process of its own, asked over its pipes as a client of the 2025 era would."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it, without waiting for anything."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
        )
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def ask(self, question: bytes) -> bytes:
        """Send a request and return the line that answers it."""
        self._stdin.write(question)
        self._stdin.flush()
        while True:
            line = self._stdout.readline()
            if not line:
                raise RuntimeError("the server ended instead of answering")
            if b'"id"' in line:
                return line

    def greet(self) -> None:
        """Shake hands."""
        self.ask(INITIALIZE)
        self._stdin.write(_message("notifications/initialized"))

    def call(self, tool: str, **arguments: object) -> Any:
        """Call a tool; its structured content."""
        result = json.loads(self.ask(call(tool, **arguments)))["result"]
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result['content']}")
        return result.get("structuredContent")


def call(tool: str, **arguments: object) -> bytes:
    """The request that calls a tool."""
    return _message("tools/call", 1, name=tool, arguments=arguments)


def _message(method: str, number: int | None = None, **params: object) -> bytes:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    return json.dumps(message).encode() + b"\n"


INITIALIZE = _message(
    "initialize",
    0,
    protocolVersion="2025-11-25",
    capabilities={},
    clientInfo={"name": "benchmark", "version": "0"},
)
