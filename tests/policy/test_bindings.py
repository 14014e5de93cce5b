"""What a confirmation is bound to: what was shown, and what of the target the lines only count or name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from viam_mcp.policy import LOCAL, Refused, Way
from viam_mcp.tools import Environment

if TYPE_CHECKING:
    from tests.policy.conftest import Desk


@pytest.mark.parametrize("way", Way)
async def test_what_cannot_be_shown_whole_is_refused_and_nobody_is_asked(desk: Desk, way: Way) -> None:
    store, key = desk.sandbox.store, desk.id("api_keys", "warehouse-1-operator")
    org = store.value("SELECT org_id FROM api_keys WHERE id = ?", key)
    for number in range(60):
        what = {"role": "owner", "resource_type": "robot", "resource_id": f"{number:08}-0000-4000-8000-000000000000"}
        store.insert("authorizations", org_id=org, identity_id=key, identity_type="api-key", **what)
    tool = desk.tool("create_key_from_existing_key_authorizations", id=key)
    with pytest.raises(Refused, match=r"^create_key_from_.* was not done: .*more than a person can be shown"):
        await desk.gate.admit(tool, LOCAL, Environment(), way)
    assert desk.outcomes() == ["failed"]
