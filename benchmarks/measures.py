"""What is measured."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from google.protobuf.json_format import MessageToDict
from grpclib.client import Channel

from benchmarks.fleet import LOCATION, MACHINES
from benchmarks.harness import INITIALIZE, Ratio, Server, call, in_turns, timed
from viam_mcp.app import connect
from viam_mcp.proto.app import GetRobotRequest
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub
from viam_mcp.proto.proto.rpc.v1.auth_grpc import AuthServiceStub
from viam_mcp.proto.proto.rpc.v1.auth_pb2 import AuthenticateRequest, Credentials
from viam_mcp.tools.results._encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.message import Message

    Fleet = Mapping[str, str]

OURS = (sys.executable, "-m", "viam_mcp", "serve", "--max-result-bytes", str(16 * 1024 * 1024))
BARE = (sys.executable, "-m", "benchmarks.bare")
PEER = (sys.executable, "-m", "benchmarks.peer")
SAME = "the same tool on FastMCP over viam-sdk"


def start(fleet: Fleet, runs: int) -> Iterator[Ratio]:
    """From the start of the process to the answer to a client's first request, `initialize`."""

    def first_answer(command: Sequence[str]) -> list[float]:
        def work() -> None:
            with_server.append(Server(command, fleet))
            with_server[-1].ask(INITIALIZE)

        with_server: list[Server] = []
        taken = timed(work, 1)
        with with_server[0]:
            return taken

    ours, bare, peer = in_turns(runs, *(partial(first_answer, command) for command in (OURS, BARE, PEER)))
    yield Ratio("start to the answer to initialize, against a bare mcp server without tools", ours, bare, 1.25)
    yield Ratio("start to the answer to initialize, against FastMCP over viam-sdk", ours, peer)


def calls(fleet: Fleet, runs: int) -> Iterator[Ratio]:
    """One call over stdio, from the request to its answer."""
    with ExitStack() as stack:
        ours, bare, peer = (stack.enter_context(Server(command, fleet)) for command in (OURS, (*BARE, "--tool"), PEER))
        for server in (ours, bare, peer):
            server.greet()
        location_id, robot_id = ids(ours)
        straight = stack.enter_context(Straight(fleet, robot_id))
        get_robot = call("get_robot", robot_id=robot_id)
        list_robots = call("list_robots", location_id=location_id)
        _check_same(ours, peer, robot_id, location_id)

        times = 25
        with_tool, nothing, rpc, with_peer = in_turns(
            runs,
            lambda: timed(lambda: ours.ask(get_robot), times),
            lambda: timed(lambda: bare.ask(call("nothing")), times),
            lambda: straight.timed(times),
            lambda: timed(lambda: peer.ask(get_robot), times),
        )
        yield Ratio(
            "get_robot over stdio, against a no-op tool on a bare server + the same rpc", with_tool, nothing + rpc, 0.8
        )
        yield Ratio("get_robot over stdio, against the same tool on FastMCP over viam-sdk", with_tool, with_peer, 0.5)

        many, many_peer = in_turns(
            runs, lambda: timed(lambda: ours.ask(list_robots), 1), lambda: timed(lambda: peer.ask(list_robots), 1)
        )
        yield Ratio(
            f"list_robots of {MACHINES:,} machines, against the same tool on FastMCP over viam-sdk",
            many,
            many_peer,
            0.5,
        )


def encoding(fleet: Fleet, runs: int) -> Iterator[Ratio]:
    """Wire messages to JSON values, in this process."""
    total = [0.0, 0.0]
    for name, messages in asyncio.run(_messages(fleet)).items():

        def ours(messages: list[Message] = messages) -> None:
            for message in messages:
                encode(message)

        def theirs(messages: list[Message] = messages) -> None:
            for message in messages:
                MessageToDict(message, preserving_proto_field_name=True)

        medians = in_turns(runs, lambda: timed(ours, 3), lambda: timed(theirs, 3))
        yield Ratio(f"encoding {len(messages)} {name}, against MessageToDict", *medians)
        total = [sum(pair) for pair in zip(total, medians, strict=True)]
    yield Ratio("encoding all of these, against MessageToDict", total[0], total[1], 0.4)


def ids(server: Server) -> tuple[str, str]:
    """The location with many machines, and one of them."""
    for organization in server.call("list_organizations")["organizations"]:
        for location in server.call("list_locations", org_id=organization["id"])["locations"]:
            if location["name"] == LOCATION:
                return location["id"], server.call("list_robots", location_id=location["id"])["robots"][0]["id"]
    raise RuntimeError(f"the fleet has no location {LOCATION!r}")


def _check_same(ours: Server, peer: Server, robot_id: str, location_id: str) -> None:
    """See that both servers answer the same before anything is compared."""
    names = [
        (
            server.call("get_robot", robot_id=robot_id)["robot"]["name"],
            [robot["name"] for robot in server.call("list_robots", location_id=location_id)["robots"]],
        )
        for server in (ours, peer)
    ]
    if names[0] != names[1] or len(names[0][1]) != MACHINES:
        raise RuntimeError("the two servers answer differently")


class Straight:
    """The rpc behind get_robot with nothing but grpclib around it."""

    def __init__(self, fleet: Fleet, robot_id: str) -> None:
        address = urlsplit(fleet["VIAM_MCP_APP_URL"])
        self._loop = asyncio.new_event_loop()
        self._channel = Channel(address.hostname, address.port, loop=self._loop)
        self._request = GetRobotRequest(id=robot_id)
        key = Credentials(type="api-key", payload=fleet["VIAM_API_KEY"])
        sign_in = AuthServiceStub(self._channel).Authenticate(
            AuthenticateRequest(entity=fleet["VIAM_API_KEY_ID"], credentials=key)
        )
        token = self._loop.run_until_complete(sign_in).access_token
        self._metadata = {"authorization": f"Bearer {token}"}

    def __enter__(self) -> Straight:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def timed(self, times: int) -> list[float]:
        """How many seconds the rpc takes, each of so many times."""
        return self._loop.run_until_complete(self._timed(times))

    async def _timed(self, times: int) -> list[float]:
        get_robot, clock, taken = AppServiceStub(self._channel).GetRobot, self._loop.time, []
        for _ in range(times):
            begun = clock()
            await get_robot(self._request, metadata=self._metadata)
            taken.append(clock() - begun)
        return taken


async def _messages(fleet: Fleet) -> dict[str, list[Any]]:
    """What the fleet answers with, by kind: as many of each as an assistant might read."""
    found: dict[str, list[Any]] = {"Robot": [], "RobotPart": [], "LogEntry": [], "RegistryItem": []}
    async with connect(
        fleet["VIAM_MCP_APP_URL"], api_key_id=fleet["VIAM_API_KEY_ID"], api_key=fleet["VIAM_API_KEY"]
    ) as app:
        for organization in await app.list_organizations():
            found["RegistryItem"] += await app.list_registry_items(organization.id, [], [], [], [])
            for location in await app.list_locations(organization.id):
                robots = await app.list_robots(location.id)
                found["Robot"] += robots
                if location.name == LOCATION:
                    continue
                for robot in robots:
                    for part in await app.get_robot_parts(robot.id):
                        found["RobotPart"].append(part.proto)
                        logs = await app.get_robot_part_logs(part.id, num_log_entries=100, range="30d")
                        found["LogEntry"] += [entry.proto for entry in logs]
    return found
