"""Live logs: many readers, one stream for each part, nothing lost and nothing doubled.

    async with Tails(app) as tails:
        news = await tails.read([part_id], errors_only=False, wait=10)
        for number, entry in news.entries:
            ...
        cursor = news.cursor()

A library of its own over `viam_mcp.app`. Errors are `AppError`.
"""

from viam_mcp.logs._following import News
from viam_mcp.logs._gap import Gap
from viam_mcp.logs._memory import Memory
from viam_mcp.logs._names import Names, PartName
from viam_mcp.logs._options import Options
from viam_mcp.logs._query import Query
from viam_mcp.logs._reading import Reading
from viam_mcp.logs._tail import State, Tail, UpstreamStatus
from viam_mcp.logs._tails import MOST_PARTS, Tails

__all__ = [
    "MOST_PARTS",
    "Gap",
    "Memory",
    "Names",
    "News",
    "Options",
    "PartName",
    "Query",
    "Reading",
    "State",
    "Tail",
    "Tails",
    "UpstreamStatus",
]
