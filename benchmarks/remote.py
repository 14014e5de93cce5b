"""What is measured over HTTP."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import Ratio, Server, in_turns
from benchmarks.load import Address, Load, answer, http_server, load, request
from benchmarks.measures import OURS, SAME, Straight, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CALLERS = 64
CALLS = 1_280

HTTP = (*OURS, "--transport", "http", "--port", "0")
BARE = (sys.executable, "-m", "benchmarks.bare", "--tool", "--http")
PEER = (sys.executable, "-m", "benchmarks.peer", "--http")


def remote(fleet: Mapping[str, str], runs: int) -> Iterator[Ratio]:
    """get_robot over HTTP: many callers at once, and one alone."""
    environment = {**os.environ, **fleet}
    with ExitStack() as stack:
        addresses = [stack.enter_context(http_server(command, environment)) for command in (HTTP, BARE, PEER)]
        with Server(OURS, fleet) as local:
            local.greet()
            _, robot_id = ids(local)
        straight = stack.enter_context(Straight(fleet, robot_id))
        ours, bare, peer = addresses
        get_robot = partial(request, tool="get_robot", robot_id=robot_id)
        _check_same(ours, peer, get_robot)

        loads: list[list[Load]] = [[], [], []]

        def under_load(number: int, question: bytes) -> list[float]:
            loads[number].append(load(addresses[number], question, CALLERS, CALLS))
            return [loads[number][-1].per_call]

        medians = in_turns(
            runs,
            partial(under_load, 0, get_robot(ours)),
            partial(under_load, 1, request(bare, "nothing")),
            partial(under_load, 2, get_robot(peer)),
        )
        p99 = [median(one.p99 for one in of_server[1:]) for of_server in loads]
        many = f"get_robot over HTTP, {CALLERS} callers at once"
        yield Ratio(f"{many}, time a call, against a no-op tool on a bare server", medians[0], medians[1], 2.0)
        yield Ratio(f"{many}, time a call, against {SAME}", medians[0], medians[2], 0.5)
        yield Ratio(f"{many}, p99, against a no-op tool on a bare server", p99[0], p99[1])
        yield Ratio(f"{many}, p99, against {SAME}", p99[0], p99[2])

        def alone(address: Address, question: bytes) -> list[float]:
            return list(load(address, question, 1, 50).latencies)

        with_tool, nothing, rpc = in_turns(
            runs,
            partial(alone, ours, get_robot(ours)),
            partial(alone, bare, request(bare, "nothing")),
            lambda: straight.timed(50),
        )
        yield Ratio(
            "get_robot over HTTP, one caller, against a no-op tool on a bare server + the same rpc",
            with_tool,
            nothing + rpc,
            1.15,
        )


def _check_same(ours: Address, peer: Address, get_robot: Callable[[Address], bytes]) -> None:
    """See that both servers answer the same before anything is compared."""
    names = [answer(address, get_robot(address))["structuredContent"]["robot"]["name"] for address in (ours, peer)]
    if names[0] != names[1]:
        raise RuntimeError("the two servers answer differently")
