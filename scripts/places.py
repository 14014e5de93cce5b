"""Say what a tool still needs besides its class: method, rpc of the sandbox, test case. Say which rpcs have no tool.

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
from viam_mcp.proto import POOL  # noqa: E402
from viam_mcp.sandbox.services import handlers  # noqa: E402
from viam_mcp.tools import TOOLS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from viam_mcp.tools import Tool


WITHOUT_TOOL: Mapping[str, str] = {}
"""The rpcs of the wire contract that have no tool on purpose, by name, with the reason."""


def without_tool(
    tools: Iterable[type[Tool]], rpcs: Iterable[str], reasons: Mapping[str, str] = WITHOUT_TOOL
) -> Iterator[str]:
    """Yield a sentence for each rpc that has neither a tool nor a reason, and for each reason that is none.

    Args:
        tools: The tools.
        rpcs: The rpcs of the wire contract.
        reasons: Why some have no tool, by name.
    """
    rpcs, have = {*rpcs}, {tool.spec.rpc.name for tool in tools if tool.spec.rpc is not None}
    for name in sorted(rpcs - have - reasons.keys()):
        yield f"{name}: no tool calls it; add one, or say why there is none in WITHOUT_TOOL of scripts/places.py"
    for name, reason in reasons.items():
        if name in have or name not in rpcs or not reason.strip():
            yield f"{name}: WITHOUT_TOOL of scripts/places.py names it, and it has a tool, is no rpc, or has no reason"


def wire_rpcs() -> frozenset[str]:
    """Return the names of the rpcs of the wire contract."""
    return frozenset(rpc.name for rpc in POOL.FindServiceByName("viam.app.v1.AppService").methods)


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
    """Return what the tools of this repository still need, and which rpcs still need one."""
    return [*missing(TOOLS.values()), *without_tool(TOOLS.values(), wire_rpcs())]
