"""An embedded fleet: a faithful AppService and AuthService over a real socket.

    async with Sandbox.start() as sandbox:
        ...  # connect to sandbox.url with sandbox.api_key_id and sandbox.api_key

It needs no account and no network. The demo fleet is the same every time, apart from its secrets.

The way of a call: `server` receives it over `transport` and authenticates it with `services.auth`; a fault that a
test has added (`faults`) may apply to it; a function in `services`, one module a subject, makes the answer from
the rows. To add an rpc, write a method with `@rpc("Name")` there.

- `services`: what each rpc does.
- `rules`: what several rpcs share: access, names, configurations, histories, conversions to messages.
- `rows`: the database, one SQLite schema.
- `live`: the log entries of machines that are online, and the calls that tail them.
- `demo`: the demo fleet, as data and as rows made of it.

Modules in here have no underscore, since they are used as namespaces (`access.part`). Other packages import only
from `viam_mcp.sandbox` and, to run it as a process, from `run`; tests also from `rows.store` and `demo.fleet`.
"""

from viam_mcp.sandbox.faults import Fault, Faults
from viam_mcp.sandbox.live.generator import LIVE_INTERVAL
from viam_mcp.sandbox.server import Sandbox, StartError, empty, open_fleet

__all__ = ["LIVE_INTERVAL", "Fault", "Faults", "Sandbox", "StartError", "empty", "open_fleet"]
