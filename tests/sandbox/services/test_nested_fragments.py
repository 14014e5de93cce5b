"""What fragments amount to, alone and on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.client import named, signed_in
from viam_mcp.app import AppClient, InvalidArgument, NotFound, to_plain
from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from viam_mcp.sandbox import Sandbox

    Make = Callable[..., Awaitable[str]]


@pytest.fixture
async def org(app: AppClient) -> str:
    return (await app.create_organization("Nesting")).id


@pytest.fixture
def make(app: AppClient, org: str) -> Make:
    """`await make(name, config)`: the id of a new fragment."""

    async def made(name: str, **config: Any) -> str:
        return (await app.create_fragment(org, name, config)).id

    return made


def arm(name: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "model": "m", "attributes": attributes}


async def resolved(app: AppClient, fragment: str) -> dict[str, Any]:
    reply = await app.list_nested_fragments(fragment)
    (one,) = reply.resolved_fragments
    assert not one.HasField("error"), one.error
    return to_plain(one.resolved_config)


async def test_nested_fragments_are_joined_and_the_outer_one_stands_last(app: AppClient, make: Make) -> None:
    inner = await make("inner", components=[arm("a")], network={"port": 1, "tls": True}, notes="inner")
    middle = await make("middle", components=[arm("b")], fragments=[inner])
    outer = await make("outer", components=[arm("c")], network={"port": 2}, notes="outer", fragments=[middle])
    assert await resolved(app, outer) == {
        "components": [arm("a"), arm("b"), arm("c")],
        "network": {"port": 2, "tls": True},
        "notes": "outer",
    }
    reply = await app.list_nested_fragments(outer)
    assert [fragment.name for fragment in reply.fragments] == ["outer", "middle", "inner"]
    assert reply.resolved_fragments[0].revision == "1"


async def test_a_prefix_names_resources_and_variables_are_filled_in(app: AppClient, make: Make) -> None:
    speed = {"$variable": {"name": "speed", "default_value": 3}}
    host = {"$variable": {"name": "host"}}
    dependent = {**arm("hand"), "depends_on": ["arm", "elsewhere"]}
    inner = await make("inner", components=[arm("arm", speed=speed, host=host), dependent])
    outer = await make(
        "outer",
        fragments=[
            {"id": inner, "prefix": "left", "variables": {"speed": 7, "host": "10.0.0.1"}},
            {"id": inner, "prefix": "right"},
        ],
    )
    left_arm, left_hand, right_arm, _ = (await resolved(app, outer))["components"]
    assert left_arm == arm("left-arm", speed=7, host="10.0.0.1")
    assert (left_hand["name"], left_hand["depends_on"]) == ("left-hand", ["left-arm", "elsewhere"])
    assert right_arm == arm("right-arm", speed=3, host=host)


async def test_a_version_is_followed_where_one_is_named(app: AppClient, make: Make) -> None:
    inner = await make("inner", notes="first")
    await app.set_fragment_tag(inner, "stable", "1")
    await app.update_fragment(inner, "inner", {"notes": "second"})
    pinned = await make("pinned", fragments=[{"id": inner, "version": "stable"}])
    assert await resolved(app, pinned) == {"notes": "first"}
    reply = await app.list_nested_fragments(
        additional_fragments=[wire.AdditionalFragment(fragment_id=inner, version=v) for v in ("stable", "")]
    )
    assert [(one.revision, to_plain(one.resolved_config)["notes"]) for one in reply.resolved_fragments] == [
        ("1", "first"),
        ("2", "second"),
    ]
    assert [fragment.revision for fragment in reply.fragments] == ["1", "2"]


def error(reply: Any) -> Any:
    (one,) = reply.resolved_fragments
    assert not one.HasField("resolved_config")
    return one.error


async def test_a_nested_fragment_that_is_gone_is_named(app: AppClient, make: Make) -> None:
    inner = await make("inner")
    outer = await make("outer", fragments=[inner])
    await app.delete_fragment(inner)
    found = error(await app.list_nested_fragments(outer))
    assert (found.error_type, found.fragment_id) == (wire.FRAGMENT_ERROR_TYPE_CHILD_ID_INVALID, inner)


async def test_a_version_that_is_gone_is_named(app: AppClient, make: Make) -> None:
    inner = await make("inner")
    await app.set_fragment_tag(inner, "stable", "1")
    outer = await make("outer", fragments=[{"id": inner, "version": "stable"}])
    await app.delete_fragment_tag(inner, "stable")
    found = error(await app.list_nested_fragments(outer))
    assert found.error_type == wire.FRAGMENT_ERROR_TYPE_CHILD_ID_INVALID
    assert "'stable'" in found.detail


async def test_a_circle_through_an_old_revision_is_found(app: AppClient, make: Make) -> None:
    first = await make("first")
    second = await make("second", fragments=[first])
    old = (await app.fragment_details(second)).fragment.revision
    await app.update_fragment(second, "second", {})
    await app.update_fragment(first, "first", {"fragments": [{"id": second, "version": old}]})
    found = error(await app.list_nested_fragments(first))
    assert (found.error_type, found.fragment_id) == (wire.FRAGMENT_ERROR_TYPE_CYCLE_DETECTED, first)


async def test_a_chain_that_old_revisions_make_too_long_is_refused(app: AppClient, make: Make) -> None:
    inner = await make("0")
    for number in range(1, 6):
        outer = await make(str(number), fragments=[{"id": inner, "version": "1"}])
        # Its newest revision nests nothing, which lets the next one be saved.
        await app.update_fragment(outer, str(number), {})
        inner = outer
    reply = await app.list_nested_fragments(
        additional_fragments=[wire.AdditionalFragment(fragment_id=inner, version="1")]
    )
    assert error(reply).error_type == wire.FRAGMENT_ERROR_TYPE_NESTING_LIMIT_EXCEEDED


async def test_a_fragment_of_others_is_not_resolved(sandbox: Sandbox) -> None:
    private = named(sandbox, "fragments", "bench-cell")
    async with signed_in(sandbox, "fleet-dashboard") as outsider:
        with pytest.raises(NotFound):
            await outsider.list_nested_fragments(private)
        reply = await outsider.list_nested_fragments(
            additional_fragments=[wire.AdditionalFragment(fragment_id=private)]
        )
    assert error(reply).error_type == wire.FRAGMENT_ERROR_TYPE_NO_ACCESS
    assert not reply.fragments


async def test_at_least_one_fragment_has_to_be_named(app: AppClient) -> None:
    with pytest.raises(InvalidArgument, match="name at least one fragment"):
        await app.list_nested_fragments()


async def test_a_machines_fragments_are_those_of_its_parts_and_what_is_asked_beside(
    sandbox: Sandbox, app: AppClient
) -> None:
    machine = named(sandbox, "robots", "picker-01")
    reply = await app.list_machine_fragments(machine)
    names = {fragment.id: fragment.name for fragment in reply.fragments}
    assert [names[one.fragment_id] for one in reply.resolved_fragments] == [
        "picker-base", "fleet-telemetry", "camera-pair",
    ]  # fmt: skip
    pinned = reply.resolved_fragments[0]
    details = await app.fragment_details(pinned.fragment_id)
    assert pinned.revision == {tag.tag: tag.revision for tag in details.tags}["stable"] != details.fragment.revision
    assert "left-eye" in {component["name"] for component in to_plain(pinned.resolved_config)["components"]}

    beside = named(sandbox, "fragments", "safety-scanner")
    other = wire.AdditionalFragment(fragment_id=named(sandbox, "fragments", "hauler-drive-tuning"), version="stable")
    more = await app.list_machine_fragments(machine, [beside], [other])
    assert [one.fragment_id for one in more.resolved_fragments][3:] == [beside, other.fragment_id]

    bare = await app.list_machine_fragments(named(sandbox, "robots", fleet.LONG_GONE_MACHINE))
    assert not bare.fragments
