"""Configurations as they are stored and shown, for the tests of what edits do to them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from viam_mcp.app import to_plain, to_struct
from viam_mcp.proto import app as wire
from viam_mcp.tools.redaction._configs import Stored
from viam_mcp.tools.results._encode import encode

SECRETS = ("s3cr3t-one", "s3cr3t-two")


def stored(config: dict[str, Any]) -> Stored:
    """A configuration that went over the wire."""
    part = wire.RobotPart(robot_config=to_struct(config, "config"))
    return Stored(to_plain(part.robot_config), encode(part).get("robot_config", {}))


def swapped(config: dict[str, Any]) -> dict[str, Any]:
    """The same configuration with other credentials."""
    one, other = SECRETS
    text = json.dumps(config).replace(one, "\0").replace(other, one).replace("\0", other)
    swapped: dict[str, Any] = json.loads(text)
    return swapped


def configs(secrets: st.SearchStrategy[str], *, plain: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Configurations with credentials in each way in which there are any.

    Args:
        secrets: The credentials.
        plain: Whether they may also stand where nothing says that they are credentials.
    """
    names = st.sampled_from(["token", "colour"] if plain else ["token"])
    held = st.one_of(
        st.builds(lambda name, secret: {name: secret, "type": "i"}, names, secrets),
        st.builds(lambda name, secret: {"name": f"X-{name}", "value": secret}, names, secrets),
        st.builds(lambda name, secret: [f"--{name}", secret, "--fast"], names, secrets),
        st.builds("run {}={} --fast".format, names, secrets),
        st.builds(lambda name, secret: json.dumps({name: secret}), names, secrets),
        st.builds(lambda name, secret: {name: {"a": [secret, 1, True]}}, names, secrets),
        secrets.map("rtsp://user:{}@host/1".format),
        st.sampled_from(["plain", "[redacted]", "[redacted 1]", 1, None, True]),
    )
    values = st.recursive(
        held,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner),
        max_leaves=6,
    )
    return st.dictionaries(st.sampled_from(["modules", "processes", "x"]), values, max_size=3)
