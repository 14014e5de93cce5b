"""`AppClient`, composed of its subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app.subjects._billing import BillingMethods
from viam_mcp.app.subjects._branding import BrandingMethods
from viam_mcp.app.subjects._favorites import FavoriteMethods
from viam_mcp.app.subjects._fragments import FragmentMethods
from viam_mcp.app.subjects._keys import KeyMethods
from viam_mcp.app.subjects._locations import LocationMethods
from viam_mcp.app.subjects._logs import LogMethods
from viam_mcp.app.subjects._machines import MachineMethods
from viam_mcp.app.subjects._metadata import MetadataMethods
from viam_mcp.app.subjects._modules import ModuleMethods
from viam_mcp.app.subjects._notifications import NotificationMethods
from viam_mcp.app.subjects._oauth import OAuthMethods
from viam_mcp.app.subjects._organizations import OrganizationMethods
from viam_mcp.app.subjects._parts import PartMethods
from viam_mcp.app.subjects._registry import RegistryMethods
from viam_mcp.app.subjects._roles import RoleMethods
from viam_mcp.app.transport._session import Session
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grpclib.client import Channel

__all__ = ["AppClient"]


class AppClient(
    OrganizationMethods,
    LocationMethods,
    MachineMethods,
    PartMethods,
    LogMethods,
    FragmentMethods,
    RoleMethods,
    RegistryMethods,
    ModuleMethods,
    KeyMethods,
    MetadataMethods,
    BillingMethods,
    BrandingMethods,
    OAuthMethods,
    FavoriteMethods,
    NotificationMethods,
):
    """The fleet-management API of Viam, one method for each call.

    `connect()` makes one that authenticates by itself. Over a grpclib channel of your own it sends the
    metadata that you give; deadlines, repetition and errors are the same. Every method raises `AppError`,
    in the subclass that stands for the gRPC status, when the call fails.
    """

    def __init__(self, channel: Channel | Session, metadata: Mapping[str, str], location_id: str | None = None) -> None:
        """Make a client that sends its calls over `channel`.

        Args:
            channel: A channel, which stays yours to close, or the session that `connect()` makes.
            metadata: Headers for every call, such as `authorization`; a session has its own.
            location_id: What methods with an optional `location_id` fall back to.
        """
        self._session = channel if isinstance(channel, Session) else Session(channel, metadata)
        self._stub = AppServiceStub(self._session.channel)
        self._location_id = location_id

    @property
    def api_key_id(self) -> str | None:
        """The id of the API key that `connect()` was given; None over a channel of your own."""
        return self._session.api_key_id

    @property
    def location_id(self) -> str | None:
        """The location that methods with an optional `location_id` use by default; None if there is none."""
        return self._location_id

    @property
    def session(self) -> Session:
        """The session that carries the calls. It can authenticate before the first call, and it is what is closed."""
        return self._session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session.target}>"
