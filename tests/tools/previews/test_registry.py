"""Previews of what is done to registry items and modules."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from tests.tools.previews.conftest import ARCHIVE, Fleet
from viam_mcp.proto import app as wire
from viam_mcp.tools import TOOLS, ToolError


async def test_a_registry_item_that_becomes_public_says_so(fleet: Fleet) -> None:
    preview = await fleet.preview(
        "update_registry_item", item_id="tidewater:picking", type="ml_model", description="Picks", visibility="public"
    )
    assert "becomes PUBLIC" in preview.lines[1]
    assert preview.lines[2] == "It is of type module, not ml_model."
    assert preview.lines[3] == "Description: 'The picking cycle: find, grasp, check, place' → 'Picks'"
    assert preview.lines[4] == "It is used by 3 machines of 1 organization."
    assert preview.headline[2] == "VISIBILITY: public"


async def test_deleting_a_registry_item_lists_its_versions_newest_first(fleet: Fleet) -> None:
    preview = await fleet.preview("delete_registry_item", item_id="tidewater:drive-control")
    assert preview.lines[0] == "Delete registry item: module 'drive-control' (tidewater:drive-control)"
    assert "7 versions: '1.4.2', '1.4.1', '1.4.0', '1.3.0', '1.2.0', '1.1.0', '1.0.0'." in preview.lines
    assert "It is used by 2 machines of 1 organization." in preview.lines


async def test_a_module_update_shows_each_value_and_the_models_that_come_and_go(fleet: Fleet) -> None:
    lines = await fleet.lines("update_module", **(await fleet.calls())["update_module"])
    assert "public → private" in lines[0]
    assert lines[1] == "Entrypoint: 'bin/drive-control' → 'run'"
    assert lines[2] == "Description: 'Closed-loop drive for two-wheeled haulers' → 'Drives'"
    assert lines[3] == "URL: 'https://code.tidewater.example/drive-control' → 'https://[redacted]@example.com'"
    assert [line for line in lines if "Model taken away" in line and "two-wheel" in line]
    assert [line for line in lines if "Model added" in line and "tracked" in line]


async def module_update(fleet: Fleet, **changes: Any) -> dict[str, Any]:
    """The call that sets a module to what it is, but for some changes."""
    module = await fleet.app.get_module("tidewater:drive-control")
    models = [{"api": one.api, "model": one.model, "description": one.description} for one in module.models]
    same = {"url": module.url, "description": module.description, "entrypoint": module.entrypoint, "models": models}
    return {"module_id": module.module_id, "public": True, **same, **changes}


async def test_what_starts_a_module_is_shown_to_its_end(fleet: Fleet) -> None:
    for length in (10, 400, 4_000):
        start = f"run {'x' * length} && evil"
        preview = await fleet.preview("update_module", **await module_update(fleet, entrypoint=start))
        assert preview.lines[1] == f"Entrypoint: 'bin/drive-control' → '{start}'"
        assert preview.headline[2].startswith("RUNS CODE: entrypoint 'run xx")


async def test_a_model_that_is_named_twice_is_no_argument(fleet: Fleet) -> None:
    same = await module_update(fleet)
    assert (await fleet.lines("update_module", **same))[0] == "Nothing changes: it has these values already."
    first = same["models"][0]
    twice = [{**first, "description": "something else"}, *same["models"]]
    with pytest.raises(ValidationError, match=rf"the model '{first['model']}' \('{first['api']}'\) is in it 2 times"):
        await fleet.preview("update_module", **{**same, "models": twice})


async def test_what_a_models_update_does_not_take_along_is_said(fleet: Fleet) -> None:
    same = await module_update(fleet)
    module = await fleet.app.get_module("tidewater:drive-control")
    module.models[0].markdown_documentation = "# Wheels"
    module.models[0].supported_hardware.append("two-wheeled haulers")
    offered = wire.Module(models=module.models).SerializeToString()
    assert fleet.sandbox.store.run("UPDATE registry_items SET models = ? WHERE name = 'drive-control'", offered) == 1
    line = (await fleet.lines("update_module", **same))[0]
    assert line.startswith(f"Model '{module.models[0].model}' loses its documentation and supported hardware")
    await TOOLS["update_module"].model_validate(same).run(fleet.app)
    after = (await fleet.app.get_module("tidewater:drive-control")).models[0]
    assert (after.markdown_documentation, list(after.supported_hardware)) == ("", [])


async def test_an_upload_shows_version_platform_size_and_hash(fleet: Fleet) -> None:
    preview = await fleet.preview("upload_module_file", **(await fleet.calls())["upload_module_file"])
    text = "\n".join(preview.lines)
    assert "Version: '1.5.0'; platform: 'linux/arm64'." in preview.lines
    assert "The newest version so far: '1.4.2'. Visibility: public." in preview.lines
    assert preview.file == hashlib.sha256(ARCHIVE).hexdigest()
    assert f"'archive.tar.gz', {len(ARCHIVE):,} bytes, SHA-256 {hashlib.sha256(ARCHIVE).hexdigest()}" in text
    assert "refuses" not in text
    assert "It is used by 2 machines of 1 organization." in preview.lines
    assert preview.headline[2] == "RUNS CODE: version '1.5.0' for 'linux/arm64'"


async def test_an_upload_of_a_version_that_is_there_says_that_it_will_be_refused(fleet: Fleet) -> None:
    info = {"module_id": "tidewater:drive-control", "version": "1.4.2", "platform": "linux/arm64"}
    lines = await fleet.lines("upload_module_file", module_file_info=info, file="archive.tar.gz")
    assert any("already: the service refuses" in line for line in lines)


async def test_an_upload_of_a_missing_file_has_no_preview(fleet: Fleet) -> None:
    info = {"module_id": "tidewater:drive-control", "version": "1.5.0", "platform": "linux/arm64"}
    with pytest.raises(ToolError, match="cannot be opened"):
        await fleet.preview("upload_module_file", module_file_info=info, file="missing.tar.gz")
