from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.driving import Cloud, signed_in
from tests.sandbox.client import named
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.sandbox import Sandbox


@pytest.fixture
async def cloud(sandbox: Sandbox) -> AsyncIterator[Cloud]:
    client = await signed_in(sandbox, sandbox.api_key_id, sandbox.api_key)
    yield Cloud(client.app_client)
    client.close()


@pytest.fixture
def tidewater(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.TIDEWATER)


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)
