"""Fragments: visibility, revisions, tags, history, nesting, where they are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, connected, named, refused, role
from viam_mcp.proto import app
from viam_mcp.proto.google.protobuf.struct_pb2 import Struct

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
PRIVATE = app.FRAGMENT_VISIBILITY_PRIVATE
PUBLIC = app.FRAGMENT_VISIBILITY_PUBLIC
UNLISTED = app.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED


@pytest.fixture
async def org(call: Calls) -> str:
    """The id of an organization that may publish."""
    org_id = (await call("CreateOrganization", name="Fragments")).organization.id
    await call("UpdateOrganization", organization_id=org_id, public_namespace="frag-ments")
    return str(org_id)


@pytest.fixture
async def nameless(call: Calls) -> str:
    """The id of an organization without a namespace."""
    return str((await call("CreateOrganization", name="Nameless")).organization.id)


async def create(call: Calls, org: str, name: str, *inside: str, **fields: Any) -> app.Fragment:
    """A fragment that contains others."""
    config = Struct()
    config.update({"fragments": list(inside)} if inside else {})
    created = await call("CreateFragment", organization_id=org, name=name, config=config, **fields)
    fragment: app.Fragment = created.fragment
    return fragment


async def save(call: Calls, fragment: app.Fragment, text: str, **fields: Any) -> app.Fragment:
    saved = await call("UpdateFragment", id=fragment.id, name=fragment.name, fragment_config_json=text, **fields)
    now: app.Fragment = saved.fragment
    return now


async def listed(call: Calls, org: str, **fields: Any) -> set[str]:
    return {fragment.name for fragment in (await call("ListFragments", organization_id=org, **fields)).fragments}


async def use(call: Calls, org: str, machine: str, *references: str) -> None:
    """A machine of the organization whose main part names fragments."""
    (location,) = (await call("ListLocations", organization_id=org)).locations
    robot_id = (await call("NewRobot", name=machine, location=location.id)).id
    (part,) = (await call("GetRobotParts", robot_id=robot_id)).parts
    text = f'{{"fragments": [{", ".join(references)}]}}'
    await call("UpdateRobotPart", id=part.id, name=part.name, robot_config_json=text)


async def test_a_new_fragment_is_private_and_its_first_revision_is_1(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    response = await call("GetFragment", id=fragment.id)
    assert response.fragment == fragment
    assert (fragment.visibility, fragment.public, fragment.revision) == (PRIVATE, False, "1")
    assert (fragment.organization_owner, fragment.organization_name) == (org, "Fragments")
    assert fragment.fragment_config_json == "{}" and fragment.HasField("fragment")
    assert [revision.revision for revision in response.revisions] == ["1"]
    assert not response.tags


@pytest.mark.parametrize("name", ["", " ", "x" * 201])
async def test_a_fragment_needs_a_name(call: Calls, org: str, name: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "fragment's name"):
        await create(call, org, name)


async def test_fragment_names_are_unique_within_an_organization(call: Calls, org: str, nameless: str) -> None:
    base = await create(call, org, "base")
    other = await create(call, org, "other")
    await create(call, nameless, "base")
    with refused(Status.ALREADY_EXISTS, "base", base.id):
        await create(call, org, "base")
    with refused(Status.ALREADY_EXISTS, "base", base.id):
        await call("UpdateFragment", id=other.id, name="base")


async def test_a_public_fragment_needs_a_namespace(call: Calls, nameless: str) -> None:
    for visibility in (PUBLIC, UNLISTED):
        with refused(Status.FAILED_PRECONDITION, "namespace", "Nameless"):
            await create(call, nameless, "base", visibility=visibility)
    fragment = await create(call, nameless, "base")
    with refused(Status.FAILED_PRECONDITION, "namespace"):
        await call("UpdateFragment", id=fragment.id, name="base", public=True)


async def test_only_public_fragments_are_listed_unless_others_are_asked_for(call: Calls, org: str) -> None:
    for name, visibility in (("private", PRIVATE), ("public", PUBLIC), ("unlisted", UNLISTED)):
        await create(call, org, name, visibility=visibility)
    mine = {"private", "public", "unlisted"}
    assert await listed(call, org, show_public=True) & mine == {"public"}
    assert await listed(call, org, show_public=False) == {"private"}
    assert await listed(call, org, show_public=False, fragment_visibility=[UNLISTED]) == {"unlisted"}
    assert await listed(call, org, show_public=True, fragment_visibility=[PRIVATE, UNLISTED]) == {"private", "unlisted"}


async def test_public_fragments_of_others_are_listed_and_unlisted_ones_are_not(
    call: Calls, org: str, nameless: str
) -> None:
    for name, visibility in (("private", PRIVATE), ("public", PUBLIC), ("unlisted", UNLISTED)):
        await create(call, org, name, visibility=visibility)
    seen = await listed(call, nameless, fragment_visibility=[PRIVATE, PUBLIC, UNLISTED])
    assert seen & {"private", "public", "unlisted"} == {"public"}


async def test_a_list_has_a_usage_for_each_fragment(call: Calls, org: str) -> None:
    base = await create(call, org, "base")
    await use(call, org, "rover", f'"{base.id}"')
    response = await call("ListFragments", organization_id=org)
    (usage,) = response.fragment_usages
    assert (usage.fragment_id, usage.machines, usage.organizations, usage.machines_in_current_org) == (base.id, 1, 1, 1)


async def test_strangers_read_public_fragments_but_neither_private_ones_nor_any_history(
    call: Calls, sandbox: Sandbox, org: str, nameless: str
) -> None:
    private = await create(call, org, "private")
    unlisted = await create(call, org, "unlisted", visibility=UNLISTED)
    key = await call("CreateKey", name="stranger", authorizations=[role(nameless, "organization", nameless)])
    async with connected(sandbox, key.id, key.key) as stranger:
        assert (await stranger("GetFragment", id=unlisted.id)).fragment.name == "unlisted"
        with refused(Status.NOT_FOUND, private.id):
            await stranger("GetFragment", id=private.id)
        with refused(Status.PERMISSION_DENIED, "history"):
            await stranger("GetFragmentHistory", id=unlisted.id)
        with refused(Status.PERMISSION_DENIED, "owner"):
            await stranger("DeleteFragment", id=unlisted.id)


async def test_every_save_is_a_revision(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    await save(call, fragment, '{"a": 1}')
    renamed = (await call("UpdateFragment", id=fragment.id, name="renamed")).fragment
    assert (renamed.revision, renamed.fragment_config_json) == ("3", '{"a": 1}')
    response = await call("GetFragment", id=fragment.id)
    assert [revision.revision for revision in response.revisions] == ["3", "2", "1"]


async def test_a_fragment_is_read_as_it_was_at_a_revision_or_a_tag(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    await save(call, fragment, '{"a": 1}')
    await save(call, fragment, '{"a": 2}')
    await call("SetFragmentTag", fragment_id=fragment.id, tag="stable", revision="2")
    for version in ("2", "stable"):
        old = (await call("GetFragment", id=fragment.id, version=version)).fragment
        assert (old.revision, old.fragment_config_json) == ("2", '{"a": 1}')
    with refused(Status.NOT_FOUND, "'canary'", "base"):
        await call("GetFragment", id=fragment.id, version="canary")


async def test_an_update_without_a_configuration_leaves_it_and_an_empty_one_empties_it(call: Calls, org: str) -> None:
    fragment = await save(call, await create(call, org, "base"), '{"z": 1, "a": 2}')
    kept = (await call("UpdateFragment", id=fragment.id, name="base")).fragment
    assert kept.fragment_config_json == '{"z": 1, "a": 2}'
    emptied = (await call("UpdateFragment", id=fragment.id, name="base", config=Struct())).fragment
    assert emptied.fragment_config_json == "{}"


async def test_the_visibility_changes_by_either_field_and_the_newer_one_wins(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")

    async def update(**fields: Any) -> int:
        updated = (await call("UpdateFragment", id=fragment.id, name="base", **fields)).fragment
        assert updated.public == (updated.visibility == PUBLIC)
        return int(updated.visibility)

    assert await update(public=True) == PUBLIC
    assert await update() == PUBLIC
    assert await update(public=False) == PRIVATE
    assert await update(visibility=UNLISTED, public=False) == UNLISTED


async def test_a_stale_last_known_update_of_a_fragment_is_refused(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    saved = await save(call, fragment, '{"a": 1}', last_known_update=fragment.last_updated)
    with refused(Status.FAILED_PRECONDITION, "base", "API key"):
        await save(call, fragment, '{"a": 2}', last_known_update=fragment.last_updated)
    assert (await call("GetFragment", id=fragment.id)).fragment == saved


async def test_history_has_the_state_before_and_what_the_edit_made(call: Calls, sandbox: Sandbox, org: str) -> None:
    fragment = await create(call, org, "base")
    assert not (await call("GetFragmentHistory", id=fragment.id)).history
    first = await save(call, fragment, '{"a": 1}')
    second = (await call("UpdateFragment", id=fragment.id, name="renamed")).fragment
    newest, oldest = (await call("GetFragmentHistory", id=fragment.id)).history
    assert (newest.old.name, newest.old.revision, newest.revision) == ("base", "2", "3")
    assert (oldest.old.fragment_config_json, oldest.config["a"]) == ("{}", 1)
    assert (newest.edited_on, oldest.edited_on) == (second.last_updated, first.last_updated)
    assert (newest.fragment, newest.edited_by.value) == (fragment.id, sandbox.api_key_id)


async def test_fragment_history_comes_in_pages_of_ten(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    for number in range(11):
        await save(call, fragment, f'{{"n": {number}}}')
    first = await call("GetFragmentHistory", id=fragment.id, page_token="")
    second = await call("GetFragmentHistory", id=fragment.id, page_token=first.next_page_token, page_limit=1)
    assert (len(first.history), second.next_page_token) == (10, "")
    assert [entry.revision for entry in [*first.history, *second.history]] == [str(n) for n in range(12, 1, -1)]


async def test_a_page_token_of_another_fragment_is_refused(call: Calls, org: str) -> None:
    one, other = await create(call, org, "one"), await create(call, org, "other")
    for number in range(2):
        await save(call, one, f'{{"n": {number}}}')
    token = (await call("GetFragmentHistory", id=one.id, page_limit=1)).next_page_token
    with refused(Status.INVALID_ARGUMENT, "page_token"):
        await call("GetFragmentHistory", id=other.id, page_token=token)
    with refused(Status.INVALID_ARGUMENT, "page_limit"):
        await call("GetFragmentHistory", id=one.id, page_limit=0)


async def test_a_fragment_that_is_in_use_can_be_deleted(call: Calls, org: str) -> None:
    base = await create(call, org, "base")
    await use(call, org, "rover", f'"{base.id}"')
    await call("DeleteFragment", id=base.id)
    with refused(Status.NOT_FOUND, base.id):
        await call("GetFragment", id=base.id)


async def test_a_fragment_says_where_it_is_in_use(call: Calls, org: str, nameless: str) -> None:
    base = await create(call, org, "base", visibility=PUBLIC)
    assert base.only_used_by_owner
    await use(call, org, "rover", f'"{base.id}"')
    await use(call, org, "walker", f'"{base.id}"')
    await use(call, nameless, "rover", f'"{base.id}"')
    response = await call("GetFragment", id=base.id, current_organization_id=nameless)
    fragment, usage = response.fragment, response.fragment_usage
    assert (fragment.robot_part_count, fragment.organization_count, fragment.only_used_by_owner) == (3, 2, False)
    assert (usage.machines, usage.organizations, usage.machines_in_current_org) == (3, 2, 1)


async def test_usage_is_counted_by_version(call: Calls, org: str) -> None:
    base = await create(call, org, "base")
    await call("SetFragmentTag", fragment_id=base.id, tag="stable", revision="1")
    await use(call, org, "a", f'"{base.id}"')
    for name in ("b", "c"):
        await use(call, org, name, f'{{"id": "{base.id}", "version": "stable"}}')
    usages = (await call("GetFragmentUsage", fragment_id=base.id)).version_usages
    assert [(usage.version, usage.machines) for usage in usages] == [("", 1), ("stable", 2)]


async def test_a_part_that_names_a_fragment_no_more_does_not_use_it(call: Calls, sandbox: Sandbox, org: str) -> None:
    base = await create(call, org, "base")
    await use(call, org, "rover", f'"{base.id}"')
    (robot,) = (await call("ListRobotsForOrg", org_id=org)).robots
    (part,) = (await call("GetRobotParts", robot_id=robot.id)).parts
    await call("UpdateRobotPart", id=part.id, name=part.name, robot_config=Struct())
    assert (await call("GetFragment", id=base.id)).fragment_usage.machines == 0


async def test_a_tag_moves_to_the_revision_it_is_set_on(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    await save(call, fragment, '{"a": 1}')
    for revision in ("1", "2"):
        tags = (await call("SetFragmentTag", fragment_id=fragment.id, tag="stable", revision=revision)).tags
        assert [(tag.tag, tag.revision) for tag in tags] == [("stable", revision)]
    assert not (await call("DeleteFragmentTag", fragment_id=fragment.id, tag="stable")).tags
    with refused(Status.NOT_FOUND, "'stable'"):
        await call("DeleteFragmentTag", fragment_id=fragment.id, tag="stable")


async def test_a_tag_is_set_only_on_a_revision_that_exists(call: Calls, org: str) -> None:
    fragment = await create(call, org, "base")
    with refused(Status.NOT_FOUND, "'7'", "base"):
        await call("SetFragmentTag", fragment_id=fragment.id, tag="stable", revision="7")


@pytest.mark.parametrize("tag", ["", "1st", "version", "Stable", "a b", "x" * 61])
async def test_a_tag_cannot_be_taken_for_a_revision(call: Calls, org: str, tag: str) -> None:
    fragment = await create(call, org, "base")
    with refused(Status.INVALID_ARGUMENT, "tag"):
        await call("SetFragmentTag", fragment_id=fragment.id, tag=tag, revision="1")


async def test_a_fragment_cannot_contain_itself(call: Calls, org: str) -> None:
    inner = await create(call, org, "inner")
    middle = await create(call, org, "middle", inner.id)
    outer = await create(call, org, "outer", middle.id)
    with refused(Status.FAILED_PRECONDITION, "'inner' > 'outer' > 'middle' > 'inner'"):
        await save(call, inner, f'{{"fragments": ["{outer.id}"]}}')
    with refused(Status.FAILED_PRECONDITION, "'inner' > 'inner'"):
        await save(call, inner, f'{{"fragments": ["{inner.id}"]}}')
    assert (await call("GetFragment", id=inner.id)).fragment == inner
    assert not (await call("GetFragmentHistory", id=inner.id)).history


async def test_fragments_nest_at_most_five_deep(call: Calls, org: str) -> None:
    chain = [await create(call, org, "f0")]
    for number in range(1, 5):
        chain.append(await create(call, org, f"f{number}", chain[-1].id))
    with refused(Status.FAILED_PRECONDITION, "at most 5 deep", "'f5' > 'f4' > 'f3' > 'f2' > 'f1' > 'f0'"):
        await create(call, org, "f5", chain[-1].id)
    assert "f5" not in await listed(call, org)


async def test_a_change_deep_inside_counts_what_lies_around_it(call: Calls, org: str) -> None:
    chain = [await create(call, org, "f0")]
    for number in range(1, 4):
        chain.append(await create(call, org, f"f{number}", chain[-1].id))
    leaf = await create(call, org, "leaf")
    twig = await create(call, org, "twig", leaf.id)
    with refused(Status.FAILED_PRECONDITION, "at most 5 deep"):
        await save(call, chain[0], f'{{"fragments": ["{twig.id}"]}}')
    assert (await save(call, chain[0], f'{{"fragments": ["{leaf.id}"]}}')).revision == "2"


async def test_a_fragment_cannot_contain_one_that_does_not_exist(call: Calls, org: str) -> None:
    with refused(Status.FAILED_PRECONDITION, NOBODY):
        await create(call, org, "outer", NOBODY)


@pytest.mark.parametrize(
    ("rpc", "field"),
    [
        ("GetFragment", "id"),
        ("UpdateFragment", "id"),
        ("DeleteFragment", "id"),
        ("GetFragmentHistory", "id"),
        ("GetFragmentUsage", "fragment_id"),
        ("SetFragmentTag", "fragment_id"),
        ("DeleteFragmentTag", "fragment_id"),
    ],
)
async def test_an_unknown_or_malformed_fragment_id_is_refused(call: Calls, rpc: str, field: str) -> None:
    with refused(Status.NOT_FOUND, NOBODY):
        await call(rpc, **{field: NOBODY})
    with refused(Status.INVALID_ARGUMENT, "UUID"):
        await call(rpc, **{field: "base"})


async def test_tags_and_usage_of_a_fragment_over_its_client(sandbox: Sandbox, app: AppClient) -> None:
    fragment = named(sandbox, "fragments", "fleet-telemetry")
    usage = {one.version: one.machines for one in await app.get_fragment_usage(fragment)}
    assert usage == {"": 5, "canary": 1}
    newest = (await app.fragment_details(fragment)).fragment.revision
    tags = {tag.tag: tag.revision for tag in await app.set_fragment_tag(fragment, "next", newest)}
    assert tags["next"] == newest
    assert "next" not in {tag.tag for tag in await app.delete_fragment_tag(fragment, "next")}
