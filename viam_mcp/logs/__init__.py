"""Live logs: many readers, one stream for each part, nothing lost and nothing doubled.

    async with Tails(app) as tails:
        news = await tails.read([part_id], errors_only=False, wait=10)
        for reading in news.readings:
            ...
        cursor = news.cursor([len(reading.entries) for reading in news.readings])

A library of its own over `viam_mcp.app`. Errors are `AppError`.
"""

from viam_mcp.logs._cursor import Position, Query
from viam_mcp.logs._options import Options
from viam_mcp.logs._reading import Reading
from viam_mcp.logs._ring import Gap, Ring
from viam_mcp.logs._tail import State, Tail, UpstreamStatus
from viam_mcp.logs._tails import MOST_PARTS, News, Tails

__all__ = [
    "MOST_PARTS",
    "Gap",
    "News",
    "Options",
    "Position",
    "Query",
    "Reading",
    "Ring",
    "State",
    "Tail",
    "Tails",
    "UpstreamStatus",
]
