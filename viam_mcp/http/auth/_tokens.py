"""Callers by bearer token (RFC 6750): a file of names and hashes, and how a token is made.

A token is 256 random bits, which cannot be guessed. So its hash needs neither salt nor many rounds, which slow down the
guessing of passwords that people choose. SHA-256 is enough, and takes no time.

https://www.rfc-editor.org/rfc/rfc6750
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from viam_mcp.calls._access import SCOPES, Access, effects_of
from viam_mcp.calls._choice import ChoiceError, choose
from viam_mcp.calls._key_names import KeyName
from viam_mcp.http._errors import HttpError
from viam_mcp.http.auth._credential import Credential, check_scopes
from viam_mcp.policy import PolicyError, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger("viam_mcp.http")

PREFIX = "vmt_"
_MAX_BYTES = 4 * 1_048_576

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
_FORMS = {
    "name": "1 to 64 letters, digits and any of . _ @ - with a letter or digit first",
    "sha256": "64 of 0-9 and a-f, as viam-mcp token new writes them",
    "api_key_id": "1 to 128 ASCII characters without spaces",
    "api_key_env": "the name of a variable",
}
"""The form that a value has to have, in words."""
_FileName = Annotated[str, StringConstraints(min_length=1)]
_Stamp = tuple[int, int, int]
_Model = TypeVar("_Model", bound=BaseModel)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    scopes: list[str] = list(SCOPES)
    toolsets: list[str] | None = None
    policy: _FileName | None = None
    api_key_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")] | None = None
    api_key_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    api_key_file: _FileName | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tokens: list[_Entry] = []


class TokenFile:
    """The tokens of a token file. An edit of the file counts from the next request on.

    While the file cannot be used, no token is accepted. Otherwise a token would still be accepted whose entry was taken
    out by an edit with a mistake in it.

    Args:
        path: The file.

    Raises:
        HttpError: The file cannot be used, or has no token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._credentials: Sequence[tuple[str, Credential]] = ()
        self._reload()
        if not self._credentials:
            raise HttpError(f"{path} has no token, so nobody could call: make one with viam-mcp token new NAME.")

    async def verify_token(self, token: str) -> Credential | None:
        """Return the credential of a token, or None if the token is not in the file."""
        presented = digest(token)
        credential = self._find(presented)
        if credential is None:
            return None
        return credential.model_copy(update={"renewed": partial(self._access_now, presented)})

    def _access_now(self, presented: str) -> Access | None:
        """What a token is good for at this moment, by its hash; None if it is not in the file any more."""
        credential = self._find(presented)
        return None if credential is None else credential.access

    def _find(self, presented: str) -> Credential | None:
        try:
            self._reload()
        except HttpError as error:
            if self._credentials:
                logger.error("Nobody is let in: %s", error)  # noqa: TRY400 - the message says it all
            self._stamp, self._credentials = None, ()
        found = None
        for known, credential in self._credentials:
            # All are compared, each in constant time, so that the time tells nothing about them.
            if hmac.compare_digest(known, presented):
                found = credential
        return found

    def _reload(self) -> None:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._credentials = [_credential(self._path, entry) for entry in _read(self._path)]
            self._stamp = stamp


def add(
    path: Path,
    name: str,
    *,
    scopes: Sequence[str] | None = None,
    toolsets: Sequence[str] | None = None,
    policy: Path | None = None,
    api_key_id: str | None = None,
    api_key_env: str | None = None,
    api_key_file: Path | None = None,
) -> str:
    """Make a token, and append its hash to a file, which is made if it does not exist.

    Args:
        path: The file.
        name: The name of the caller who will hold the token, as the audit has it.
        scopes: Its scopes; None for all.
        toolsets: The toolsets that it opens; None for all.
        policy: The policy file for its calls, in place of the server's.
        api_key_id: The id of the key of a Viam organization that its calls use, in place of the server's.
        api_key_env: The environment variable of the server that holds this key; or else
        api_key_file: the file that does.

    Returns:
        The token. It is not stored anywhere.

    Raises:
        HttpError: The file cannot be used, the name is taken, or a scope or toolset does not exist.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    values = {
        "name": name,
        "sha256": digest(token),
        "scopes": scopes,
        "toolsets": toolsets,
        "policy": None if policy is None else str(policy.resolve()),
        "api_key_id": api_key_id,
        "api_key_env": api_key_env,
        "api_key_file": None if api_key_file is None else str(api_key_file.resolve()),
    }
    given = {key: value for key, value in values.items() if value is not None}
    _checked(_Entry, given, "the new token")
    # Strings and lists of JSON are strings and lists of TOML too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
    table = "\n".join(["[[tokens]]", *lines]) + "\n"
    (entry,) = _parse(path, table)
    _credential(path, entry)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if any(known.name == name for known in _read(path)):
                raise HttpError(
                    f"{path} has a token named {name!r} already: take its entry out, or choose another name."
                )
            # One write, so that a server that reads at the same time sees all of it or nothing.
            file.write((("\n" if file.tell() else "") + table).encode())
    except OSError as error:
        raise HttpError(f"{path} cannot be written: {error.strerror}.") from None
    return token


def digest(token: str) -> str:
    """Return the hash of a token as the file has it: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _credential(path: Path, entry: _Entry) -> tuple[str, Credential]:
    """Return the hash of a token, and its credential."""
    where = f"{path}: the token {entry.name!r}"
    policy = None
    for key, value in (("scopes", entry.scopes), ("toolsets", entry.toolsets)):
        if value == []:
            raise HttpError(
                f"{where}: {key} = [] opens nothing: name some, or leave {key} out, which opens all. To shut the "
                "caller out, take the entry out."
            )
    try:
        check_scopes(entry.scopes)
        tools = None if entry.toolsets is None else frozenset(choose(toolsets=entry.toolsets))
        if entry.policy is not None:
            policy = path.parent / entry.policy
            load(policy)
    except (ChoiceError, PolicyError, HttpError) as error:
        raise HttpError(f"{where}: {error}") from None
    caller = f"token:{entry.name}"
    access = Access(caller, effects_of(entry.scopes), tools, policy, _key(path, entry, where))
    return entry.sha256, Credential(client_id=caller, scopes=list(entry.scopes), access=access)


def _key(path: Path, entry: _Entry, where: str) -> KeyName | None:
    """Return where the caller's own API key is, or None if the caller has none."""
    if entry.api_key_id is None and entry.api_key_env is None and entry.api_key_file is None:
        return None
    if entry.api_key_id is None or (entry.api_key_env is None) is (entry.api_key_file is None):
        raise HttpError(f"{where}: a key of its own takes api_key_id, and either api_key_env or api_key_file.")
    file = None if entry.api_key_file is None else path.parent / entry.api_key_file
    return KeyName(entry.api_key_id, entry.api_key_env or "", file)


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise HttpError(f"the token file {path} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise HttpError(f"the token file {path} is not a regular file.")
    if status.st_mode & 0o022:
        raise HttpError(
            f"the token file {path} can be changed by others than its owner, who could let themselves in: "
            f"chmod go-w {path}"
        )
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> list[_Entry]:
    _stamp(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise HttpError(f"the token file {path} is larger than {_MAX_BYTES:,} bytes.")
        return _parse(path, data.decode())
    except OSError as error:
        raise HttpError(f"the token file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise HttpError(f"the token file {path} is not UTF-8 text.") from None


def _parse(path: Path, text: str) -> list[_Entry]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HttpError(f"the token file {path} is not TOML: {error}.") from None
    entries = _checked(_File, tables, f"the token file {path}").tokens
    for known, kind in (([entry.name for entry in entries], "name"), ([entry.sha256 for entry in entries], "hash")):
        if twice := next((value for value in known if known.count(value) > 1), None):
            raise HttpError(f"the token file {path} has the {kind} {twice!r} twice.")
    return entries


def _checked(model: type[_Model], values: Any, what: str) -> _Model:
    """Return the values as a model.

    Raises:
        HttpError: A value is not what it should be.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise HttpError(f"{what}: {_problem(error.errors(include_url=False)[0])}.") from None


def _problem(error: Any) -> str:
    """Return what is wrong with a value, and where. Not the value: it may be a token where a hash belongs."""
    place = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    problem = f"{error['msg'][0].lower()}{error['msg'][1:]}"
    if error["type"] == "string_pattern_mismatch":
        problem = f"expected {_FORMS[error['loc'][-1]]}"
    return f"{place}: {problem}"
