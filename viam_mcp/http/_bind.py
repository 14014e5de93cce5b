"""Which computers may reach the server, and by which names. Decided before anything listens.

A server that only this computer can reach needs nothing. A server that other computers can reach needs a list of the
names that it is called by, because a web page can make a browser call it by any other name (DNS rebinding). And its
callers have to authenticate.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings

from viam_mcp.http._errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$")
_ORIGIN = re.compile(r"^https?://(.+)$")


@lru_cache(256)  # few callers make many requests
def is_loopback(host: str) -> bool:
    """Return whether only this computer reaches an address, or a host as a URL has it."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def transport_security(
    host: str,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    authenticated: bool,
) -> TransportSecuritySettings:
    """Return the hosts and origins that requests may name.

    Args:
        host: The address to listen on.
        allowed_hosts: The names that clients call this server by, such as `fleet.example.com`. A name without a port
            stands for every port.
        allowed_origins: The origins of web pages that may call, such as `https://console.example.com`.
        authenticated: Whether callers authenticate.

    Raises:
        HttpError: The address may not be used like that, or a name is malformed.
    """
    for name in allowed_hosts:
        _check_host(name)
    for origin in allowed_origins:
        _check_origin(origin)
    local = is_loopback(host)
    if not local and not allowed_hosts:
        raise HttpError(
            f"--host {host} lets other computers reach this server, so it has to know the names that they call it by: "
            "give --allowed-hosts, such as fleet.example.com, or listen on 127.0.0.1."
        )
    outside = host if not local else next((name for name in allowed_hosts if not is_loopback(_name(name))), None)
    if outside is not None and not authenticated:
        given = f"--allowed-hosts {outside}" if local else f"--host {host}"
        raise HttpError(
            f"{given} is for callers on other computers, and --auth none lets in everybody who reaches it: "
            "use --auth tokens:FILE or --auth oauth, or listen on 127.0.0.1 without allowed hosts."
        )
    names = [*_LOOPBACK_NAMES, *([_as_in_url(host)] if host not in _LOOPBACK_NAMES else [])] if local else []
    origins = [f"{scheme}://{name}:*" for name in names for scheme in ("http", "https")]
    return TransportSecuritySettings(
        allowed_hosts=list(_with_ports([*names, *allowed_hosts])), allowed_origins=[*origins, *allowed_origins]
    )


def url(host: str, port: int, *, tls: bool) -> str:
    """Return the base URL of an address."""
    return f"{'https' if tls else 'http'}://{_as_in_url(host)}:{port}"


def _as_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _name(host: str) -> str:
    """Return a host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _with_ports(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name
        if _name(name) == name:
            yield f"{name}:*"


def _check_host(name: str) -> None:
    match = _HOST.fullmatch(name)
    if match is None or int(match[1] or 0) > 65_535:
        raise HttpError(
            f"--allowed-hosts: {name!r} is not a host: give names as a URL has them between // and the path, such as "
            "fleet.example.com or fleet.example.com:8443. Wildcards are not taken."
        )


def _check_origin(origin: str) -> None:
    match = _ORIGIN.fullmatch(origin)
    if match is None or _HOST.fullmatch(match[1]) is None:
        raise HttpError(
            f"--allowed-origins: {origin!r} is not an origin: give scheme and host as a browser sends them, such as "
            "https://console.example.com. Wildcards are not taken."
        )
