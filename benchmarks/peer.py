"""Two of our tools as one would write them on FastMCP over the official SDK."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastmcp import Context, FastMCP
from google.protobuf.json_format import MessageToDict
from viam.app.viam_client import ViamClient
from viam.rpc.dial import DialOptions

from benchmarks.bare import serve_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def _fleet(_server: FastMCP[Any]) -> AsyncIterator[dict[str, Any]]:
    options = DialOptions(insecure=True)
    client = await ViamClient.create_from_env_vars(options, os.environ["VIAM_MCP_APP_URL"])
    try:
        yield {"cloud": client.app_client}
    finally:
        client.close()


server = FastMCP("peer", lifespan=_fleet)


def _cloud(context: Context) -> Any:
    return context.lifespan_context["cloud"]


@server.tool
async def get_robot(robot_id: str, context: Context) -> dict[str, Any]:
    """Get one machine."""
    return {"robot": MessageToDict(await _cloud(context).get_robot(robot_id), preserving_proto_field_name=True)}


@server.tool
async def list_robots(location_id: str, context: Context) -> dict[str, Any]:
    """List the machines of one location."""
    robots = await _cloud(context).list_robots(location_id)
    return {"robots": [MessageToDict(robot, preserving_proto_field_name=True) for robot in robots]}


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_app(server.http_app(path="/mcp"))
    else:
        server.run(show_banner=False, log_level="ERROR")
