"""The parts of the scope one by one: reads that go on, what is remembered, and what errors may say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from grpclib.const import Status

from viam_mcp.app import AppError, NotFound
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.rules._rules import Scope
from viam_mcp.policy.scope import _boundary, _places, _session
from viam_mcp.policy.scope._boundary import Boundary
from viam_mcp.policy.scope._errors import without_names
from viam_mcp.policy.scope._places import Memory, Place, Places, _Remembered, owner_of
from viam_mcp.policy.scope._session import FilteredSession, ReadingSession, _View, client
from viam_mcp.proto import app as wire
from viam_mcp.sandbox import Fault
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox
    from viam_mcp.tools import Tool

SELDOM = 1_000.0


def named(sandbox: Sandbox, table: str, name: str) -> str:
    return str(sandbox.store.value(f"SELECT id FROM {table} WHERE name = ?", name))


def read(sandbox: Sandbox) -> Tool:
    return TOOLS["get_robot"].model_validate({"robot_id": named(sandbox, "robots", "picker-01")})


def move_out(sandbox: Sandbox) -> None:
    """Somebody else moves the machine to a location that is outside."""
    outside = named(sandbox, "locations", "Warehouse 2")
    sandbox.store.run("UPDATE robots SET location_id = ? WHERE name = 'picker-01'", outside)


def boundary(sandbox: Sandbox, app: AppClient, recheck: float = SELDOM) -> Boundary:
    scope = Scope(locations=frozenset({named(sandbox, "locations", "Warehouse 1")}))
    return Boundary(scope, app, recheck=recheck)


async def test_a_read_that_goes_on_is_ended_when_what_it_reads_leaves_the_scope(
    sandbox: Sandbox, app: AppClient
) -> None:
    with anyio.fail_after(30), pytest.raises(Stopped, match="has left what this server is limited to") as stopped:
        async with boundary(sandbox, app, recheck=0.01).holding(read(sandbox)):
            move_out(sandbox)
            await anyio.sleep_forever()
    assert stopped.value.outcome is Outcome.OUT_OF_SCOPE


async def test_a_read_that_took_long_gives_nothing_if_what_it_read_has_left_the_scope(
    sandbox: Sandbox, app: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_boundary, "_LONG_SECONDS", -1.0)
    with pytest.raises(Stopped, match="has left"):
        async with boundary(sandbox, app).holding(read(sandbox)):
            move_out(sandbox)


async def test_a_read_that_took_long_gives_its_answer_if_what_it_read_is_still_inside(
    sandbox: Sandbox, app: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_boundary, "_LONG_SECONDS", -1.0)
    async with boundary(sandbox, app).holding(read(sandbox)):
        pass
    assert sandbox.calls["GetRobot"] == 1


async def test_a_read_that_is_soon_over_is_not_looked_at_again(sandbox: Sandbox, app: AppClient) -> None:
    async with boundary(sandbox, app).holding(read(sandbox)):
        pass
    assert sandbox.calls["GetRobot"] == 0


async def test_a_change_that_has_begun_is_not_watched(sandbox: Sandbox, app: AppClient) -> None:
    tool = TOOLS["delete_robot"].model_validate({"robot_id": named(sandbox, "robots", "picker-01")})
    before = asyncio.all_tasks()
    async with boundary(sandbox, app).holding(tool):
        assert asyncio.all_tasks() == before


async def test_a_read_goes_on_while_it_cannot_be_read_where_its_machine_is(sandbox: Sandbox, app: AppClient) -> None:
    held = boundary(sandbox, app)
    sandbox.faults.add("GetRobot", Fault(times=None, status=Status.INTERNAL))
    assert await held.is_inside(read(sandbox))
    sandbox.faults.clear()
    move_out(sandbox)
    assert not await held.is_inside(read(sandbox))


def test_of_what_is_remembered_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_places, "_REMEMBERED", 2)
    remembered = _Remembered()
    for key in ("a", "b", "a", "c"):
        assert remembered.remember(key, key.upper()) == key.upper()
    assert dict(remembered) == {"a": "A", "c": "C"}


@pytest.mark.parametrize(
    ("organizations", "primary", "owner"),
    [
        ([("A", False), ("B", True)], "C", "b"),
        ([("A", False)], "C", "c"),
        ([], "C", "c"),
    ],
)
def test_a_location_belongs_to_its_primary_organization(
    organizations: list[tuple[str, bool]], primary: str, owner: str
) -> None:
    location = wire.Location(
        organizations=[wire.LocationOrganization(organization_id=one, primary=first) for one, first in organizations],
        primary_org_identity=wire.OrganizationIdentity(id=primary),
    )
    assert owner_of(location) == owner


def places(sandbox: Sandbox, app: AppClient, memory: Memory, *locations: str) -> Places:
    return Places(app, memory, Scope(locations=frozenset(named(sandbox, "locations", one) for one in locations)))


async def test_a_location_is_in_all_those_above_it_up_to_one_that_the_scope_names(
    sandbox: Sandbox, app: AppClient
) -> None:
    cold, warehouse, campus = (
        named(sandbox, "locations", one) for one in ("Cold Storage", "Warehouse 1", "Rotterdam Campus")
    )
    owner, memory = named(sandbox, "organizations", "Tidewater Robotics"), Memory()
    for _ in range(2):
        found = await places(sandbox, app, memory, "Test Lab").find("location", cold)
        assert found == (Place(owner, (cold, warehouse, campus)),)
    assert await places(sandbox, app, memory, "Warehouse 1").find("location", cold) == (
        Place(owner, (cold, warehouse)),
    )
    assert await places(sandbox, app, memory, "Cold Storage").find("location", cold) == (Place(owner, (cold,)),)


class Circle:
    """A fleet with two locations, each of which is said to lie in the other."""

    async def get_location(self, location_id: str) -> wire.Location:
        return wire.Location(id=location_id, parent_location_id={"one": "other", "other": "one"}[location_id])


async def test_locations_that_lie_in_a_circle_are_followed_to_an_end() -> None:
    memory = Memory()
    for _ in range(2):
        fleet: Any = Circle()
        with anyio.fail_after(30):
            found = await Places(fleet, memory, Scope(locations=frozenset({"third"}))).find("location", "one")
        assert found is not None
        assert {*found[0].locations} == {"one", "other"}


async def test_what_was_read_for_a_call_is_not_read_again_for_it(sandbox: Sandbox, app: AppClient) -> None:
    found, robot = places(sandbox, app, Memory(), "Warehouse 1"), named(sandbox, "robots", "picker-01")
    assert await found.find("machine", robot) == await found.find("machine", robot.upper())
    assert sandbox.calls["GetRobot"] == 1
    assert await found.find("nothing", robot) is None


async def test_all_locations_can_be_read_at_once(sandbox: Sandbox, app: AppClient) -> None:
    owner = named(sandbox, "organizations", "Tidewater Robotics")
    known = Places(app, Memory(), Scope(organizations=frozenset({owner})))
    await known.read_locations()
    sandbox.calls.clear()
    cold = named(sandbox, "locations", "Cold Storage")
    (place,) = await known.find("location", cold) or ()
    assert place.organization == owner
    assert len(place.locations) == 3
    assert not sandbox.calls


async def test_the_steps_from_a_part_to_its_locations_are_read_at_once_the_next_time(
    sandbox: Sandbox, app: AppClient
) -> None:
    part, memory = named(sandbox, "parts", "cold-inspector-01-main"), Memory()
    first = await places(sandbox, app, memory, "Test Lab").find("part", part)
    del sandbox.calls["Authenticate"]
    assert sandbox.calls == {"GetRobotPart": 1, "GetRobot": 1, "GetLocation": 3}
    sandbox.calls.clear()
    assert await places(sandbox, app, memory, "Test Lab").find("part", part) == first
    assert sandbox.calls == {"GetRobot": 1, "GetLocation": 3}


async def test_a_reply_is_at_hand_once_and_not_for_long(
    sandbox: Sandbox, app: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = ReadingSession(app.session)
    request = wire.GetRobotRequest(id=named(sandbox, "robots", "picker-01"))
    method = "/viam.app.v1.AppService/GetRobot"
    await client(app, reading).get_robot(request.id)
    assert reading.take(method, wire.GetRobotRequest(id="another")) is None
    assert reading.take(method, request).robot.name == "picker-01"
    assert reading.take(method, request) is None
    await client(app, reading).get_robot(request.id)
    monkeypatch.setattr(_session, "_AT_HAND_SECONDS", 0.0)
    assert reading.take(method, request) is None


async def test_how_long_a_call_may_take_holds_for_it_within_a_scope_too(app: AppClient) -> None:
    sent: list[tuple[bool, float | None]] = []

    class Recording(_View):
        async def unary(
            self, method: Any, request: Any, *, authorized: bool = True, timeout: float | None = None
        ) -> Any:
            sent.append((authorized, timeout))
            return await self._session.unary(method, request, authorized=authorized, timeout=timeout)

    async def see(_method: str, _reply: object) -> None:
        """Take nothing out."""

    filtered = FilteredSession(Recording(app.session), ReadingSession(app.session), see)
    await client(app, filtered).list_favorite_machines(timeout=7.5)
    assert sent == [(True, 7.5)]


ID = "4a8f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("the machine is not there", "the machine is not there"),
        ("The machine is not there.", "The machine is not there."),
        ("the machine Picker is used by Acme", "the machine […] is used by […]"),
        (f"machine {ID} is not there", f"machine {ID} is not there"),
        (f"machine {ID.replace('4', '5')} is not there", "machine […] is not there"),
        ("machine 'cold-inspector' is not there", "machine '[…]' is not there"),
        ('machine "a \\" b" is not there', 'machine "[…]" is not there'),
        ("machine `x y` is not there", "machine `[…]` is not there"),
        ("machine 'New Name' is not there", "machine 'New Name' is not there"),
        ("machine 'XNew Name' is not there", "machine '[…]' is not there"),
        ("it is in abcdefghij too", "it is in […] too"),
        ("its components and attributes", "its components and attributes"),
        ("it is in qwertzuiop too", "it is in qwertzuiop too"),
        ("3 of 100000 (50%), not 1234567", "3 of 100000 (50%), not […]"),
        ("a-b and c_d", "[…] and […]"),
        ("GetRobot says NOT_FOUND at fleet.example:443", "GetRobot says NOT_FOUND at fleet.example:443"),
        ("last_access is wrong", "[…] is wrong"),
        ("location_id is wrong: Name", "location_id is wrong: Name"),
    ],
)
def test_of_an_error_only_what_the_caller_said_and_plain_words_are_left(said: str, left: str) -> None:
    request = wire.UpdateRobotRequest(id=ID, name="New Name", location="qwertzuiop")
    if "location_id" in said:
        given: Any = wire.NewRobotRequest(name="x", location="y")
        said, left = (text.replace("location_id", "location") for text in (said, left))
    else:
        given = request
    error: AppError = NotFound(Status.NOT_FOUND, said, rpc="GetRobot")
    reduced = without_names(error, given, "fleet.example:443")
    assert reduced.message == left
    assert reduced.args == (Status.NOT_FOUND, left, None)
