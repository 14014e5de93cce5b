"""Say what a tool still needs besides its class: the method, the sandbox's rpc, and a test case.

python scripts/schemas.py --check     says this too, and make lint runs it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the cases are in tests/

from tests.tools.cases import CASES  # noqa: E402
from viam_mcp.app import AppClient  # noqa: E402
from viam_mcp.sandbox.services import handlers  # noqa: E402
from viam_mcp.tools import TOOLS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from viam_mcp.tools import Tool


def served() -> frozenset[str]:
    """Return the names of the rpcs that the sandbox serves."""
    return frozenset(handlers())


def missing(
    tools: Iterable[type[Tool]],
    client: type[AppClient] = AppClient,
    rpcs: Collection[str] | None = None,
    cases: Collection[str] = CASES,
) -> Iterator[str]:
    """Yield what tools still need, a sentence each.

    Args:
        tools: The tools.
        client: Has a method for each rpc.
        rpcs: The rpcs that the sandbox serves; None for those of the sandbox as it is.
        cases: The tools that have a test case.
    """
    rpcs = served() if rpcs is None else rpcs
    tools = list(tools)
    for spec in (tool.spec for tool in tools):
        if spec.rpc is not None and not hasattr(client, spec.name):
            yield f"{spec.name}: AppClient has no method of this name; add one to viam_mcp/app/subjects/"
        if spec.rpc is not None and spec.rpc.name not in rpcs:
            yield f"{spec.name}: the sandbox does not serve {spec.rpc.name}; add it to viam_mcp/sandbox/services/"
        if spec.name not in cases:
            yield f"{spec.name}: no test calls it; add a case of this name to tests/tools/cases/{spec.toolset}.py"
    for name in sorted(set(cases) - {tool.spec.name for tool in tools}):
        yield f"{name}: it has a case in tests/tools/cases/, and there is no such tool"


def problems() -> list[str]:
    """Return what the tools of this repository still need."""
    return list(missing(TOOLS.values()))
