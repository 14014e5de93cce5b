"""The login of Viam's own command line, as a credential.

`viam login` leaves a file, and keeps it: what is in there is read again whenever a token is needed, so that
logging in, switching the user or logging out there takes effect here. A refreshed access token stays in
memory. The file is written in one case only: when the server gives a new refresh token in exchange, the
one in the file is spent, and leaving it there would log the user out of the command line.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import re
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from grpclib.const import Status

from viam_mcp.app._errors import Unauthenticated, Unavailable
from viam_mcp.app.credentials._credentials import AccessToken, Credentials, seconds_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from viam_mcp.app.credentials._credentials import Exchange, TokenSource

__all__ = [
    "LOGGER",
    "PROFILE_VARIABLE",
    "REFRESH_SECONDS",
    "Json",
    "Login",
    "LoginToken",
    "UserLogin",
    "login_path",
    "read_login",
]

Json = Any

LOGGER = logging.getLogger("viam_mcp.app")

PROFILE_VARIABLE = "VIAM_CLI_PROFILE_NAME"
REFRESH_SECONDS = 10.0
"""An access token with less time left than this is not used any more; the command line has the same bound."""

_USING = "Using the login of Viam's command line"
_LOG_IN = "Log in with `viam login`, or use an API key."
_TIMEOUT = 10.0
_LARGEST_ANSWER = 1_048_576
_ERROR_CODE = re.compile(r"^[a-z_]{1,40}$")


class Login(NamedTuple):
    """What `viam login` left.

    Attributes:
        base_url: The app that the login is for; empty if the file does not say.
        credentials: The user or the API key that is logged in.
    """

    base_url: str
    credentials: TokenSource


@dataclass(frozen=True, slots=True)
class LoginToken:
    """A user's tokens. Shown without them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    token_url: str
    client_id: str

    @property
    def left(self) -> float:
        """The seconds for which the access token is still good."""
        return self.expires_at - time.time()


def login_path(profile: str = "", home: Path | None = None) -> Path:
    """Return the file in which Viam's command line keeps the login of a profile.

    Args:
        profile: The profile; empty for the usual one.
        home: The user's home folder; None for that of the process's user.

    Raises:
        Unauthenticated: No profile can have that name.
    """
    if "/" in profile or "\0" in profile:
        raise _refused(f"{profile!r} is not the name of a profile", f"Correct {PROFILE_VARIABLE}.")
    prefix = f"{profile}_" if profile else ""
    return (home or Path.home()) / ".viam" / f"{prefix}cached_cli_config.json"


def read_login(path: Path) -> Login:
    """Read the login that is in a file.

    Args:
        path: What `login_path` gave.

    Raises:
        Unauthenticated: NoObserver is logged in there, or the file cannot be read.
    """
    content = _read(path)
    auth = content.get("auth")
    credentials: TokenSource
    if isinstance(auth, dict) and "key_id" in auth:
        credentials = Credentials(_text(auth, "key_id", path), _text(auth, "key_crypto", path))
    else:
        _grant(content, path)
        credentials = UserLogin(path)
    base_url = content.get("base_url")
    return Login(base_url if isinstance(base_url, str) else "", credentials)


class UserLogin:
    """A user who is logged in: an access token from the file, refreshed when it is about to expire.

    Args:
        path: The file.
    """

    api_key_id = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: LoginToken | None = None
        self._held: LoginToken | None = None

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """See `TokenSource`."""
        return await asyncio.to_thread(self._token, refused)

    def secrets(self) -> Iterator[str]:
        """See `TokenSource`."""
        for grant in {self._seen, self._held} - {None}:
            assert grant is not None  # noqa: S101 - for the type checker
            yield from (secret for secret in (grant.access_token, grant.refresh_token) if secret)

    def _token(self, refused: str | None) -> AccessToken:
        grant = self._latest()
        if grant.left < REFRESH_SECONDS or grant.access_token == refused:
            try:
                grant = self._renewed(grant)
            except Unauthenticated:
                # Another process may have spent the refresh token, and left the new one in the file.
                if (newer := self._latest()) == grant:
                    raise
                grant = newer if newer.left >= REFRESH_SECONDS else self._renewed(newer)
        return AccessToken(grant.access_token, max(0.0, grant.left - REFRESH_SECONDS))

    def _latest(self) -> LoginToken:
        """Return the tokens in the file if they have changed there, else those that were refreshed since."""
        grant = _grant(_read(self._path), self._path)
        if grant != self._seen or self._held is None:
            self._seen = self._held = grant
        return self._held

    def _renewed(self, grant: LoginToken) -> LoginToken:
        answer = _refresh(grant)
        access_token = _answered(answer, "access_token", grant)
        refresh_token = str(answer.get("refresh_token") or grant.refresh_token)
        lasts = answer.get("expires_in") or seconds_left(access_token) or 0
        self._held = replace(
            grant,
            access_token=access_token,
            refresh_token=refresh_token,
            expires_at=time.time() + float(lasts),
        )
        LOGGER.debug("the login of Viam's command line was refreshed")
        if refresh_token != grant.refresh_token:
            self._keep(self._held, spent=grant.refresh_token)
        return self._held

    def _keep(self, grant: LoginToken, spent: str) -> None:
        """Write the new tokens to the file, in place of the spent refresh token."""
        try:
            content = _read(self._path)
            if content["auth"].get("refresh_token") != spent:
                return
            content["auth"] |= {
                "access_token": grant.access_token,
                "refresh_token": grant.refresh_token,
                "expires_at": datetime.fromtimestamp(grant.expires_at, UTC).isoformat().replace("+00:00", "Z"),
            }
            _replace(self._path.resolve(), json.dumps(content, indent=2))
            self._seen = self._held = _grant(_read(self._path), self._path)
        except (OSError, Unauthenticated) as error:
            reason = error.strerror if isinstance(error, OSError) else error.message
            LOGGER.warning("the refreshed login cannot be kept for Viam's command line: %s", reason)


def _read(path: Path) -> dict[str, Json]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _refused(f"nobody is logged in: there is no {path}") from None
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise _refused(f"{path} is not what `viam login` writes") from None
    if not isinstance(content, dict):
        raise _refused(f"{path} is not what `viam login` writes")
    return content


def _grant(content: Mapping[str, Json], path: Path) -> LoginToken:
    auth = content.get("auth")
    if not isinstance(auth, dict) or not auth:
        raise _refused(f"nobody is logged in, as {path} says")
    try:
        expires_at = datetime.fromisoformat(auth["expires_at"])
    except (KeyError, TypeError, ValueError):
        raise _refused(f"{path} is not what `viam login` writes: auth.expires_at is not a time") from None
    return LoginToken(
        _text(auth, "access_token", path),
        str(auth.get("refresh_token") or ""),
        (expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)).timestamp(),
        str(auth.get("token_url") or ""),
        str(auth.get("client_id") or ""),
    )


def _text(auth: Mapping[str, Json], name: str, path: Path) -> str:
    value = auth.get(name)
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise _refused(f"{path} is not what `viam login` writes: auth.{name} is missing, or no text")
    return value


def _refresh(grant: LoginToken) -> dict[str, Json]:
    if not grant.refresh_token:
        raise _refused("the login has expired, and has no refresh token")
    url = _address(grant.token_url)
    form = {"client_id": grant.client_id, "grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    try:
        status, body = _post(url, urlencode(form))
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            Status.UNAVAILABLE,
            f"{url.hostname} cannot be reached to refresh the login: {getattr(error, 'strerror', None) or error}",
            asked=_USING,
        ) from None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    if status >= http.client.INTERNAL_SERVER_ERROR:
        raise Unavailable(Status.UNAVAILABLE, f"{url.hostname} answered {status} to the refresh", asked=_USING)
    if status != http.client.OK:
        # The text beside the code is not shown, since it may repeat what was sent.
        code = str(answer.get("error", ""))
        said = f" ({code})" if _ERROR_CODE.match(code) else ""
        raise _refused(f"the login has expired: {url.hostname} answered {status}{said} to the refresh")
    return answer


def _address(token_url: str) -> SplitResult:
    """Return the URL to refresh at, which has to be https or on this computer."""
    try:
        url = urlsplit(token_url)
        host, _ = url.hostname or "", url.port
    except ValueError:
        host = ""
    if not host or not (url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))):
        raise _refused("the login has expired, and its token_url is not an https URL")
    return url


def _post(url: SplitResult, body: str) -> tuple[int, bytes]:
    """Send a form. Redirections are not followed, since a secret is in it."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        connection.request("POST", target, body, headers)
        response = connection.getresponse()
        return response.status, response.read(_LARGEST_ANSWER)
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _answered(answer: Mapping[str, Json], name: str, grant: LoginToken) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(f"the answer of {urlsplit(grant.token_url).hostname} to the refresh has no {name}")
    return value


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _refused(message: str, hint: str = _LOG_IN) -> Unauthenticated:
    return Unauthenticated(Status.UNAUTHENTICATED, message, asked=_USING, hint=hint)
