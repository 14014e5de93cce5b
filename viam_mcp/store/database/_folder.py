"""Folders and files that are for this user alone."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.store._errors import StoreCorrupted, StoreError, StoreFull, StoreReadOnly, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_ELSEWHERE = "set XDG_STATE_HOME to a folder that can be written, or name another place with --store"


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder, which may not exist: `$XDG_STATE_HOME/viam-mcp`, by default `~/.local/state/viam-mcp`.

    Raises:
        StoreUnavailable: There is no home folder.
    """
    home = environment.get("XDG_STATE_HOME", "")
    # https://specifications.freedesktop.org/basedir-spec/latest/: relative paths are to be ignored.
    if home and Path(home).is_absolute():
        return Path(home) / "viam-mcp"
    try:
        return Path.home().absolute() / ".local" / "state" / "viam-mcp"
    except RuntimeError:
        raise StoreUnavailable("there is no place for the state folder: set XDG_STATE_HOME, or HOME") from None


def private_folder(path: Path) -> Path:
    """Make a folder if it does not exist, and let nobody but its owner into it.

    Raises:
        StoreReadOnly: It cannot be made or changed.
        StoreCorrupted: It is something else, or somebody else's.
    """
    try:
        # Each missing folder above it is made with the same mode; `parents=True` would open those to everybody.
        for folder in [one for one in (*reversed(path.parents), path) if not one.exists()]:
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no folder"
            raise StoreCorrupted(f"the folder {path} cannot be used: it is {kind}; {_ELSEWHERE}")
        if status.st_uid != os.geteuid():
            raise StoreCorrupted(f"the folder {path} cannot be used: it belongs to another user; {_ELSEWHERE}")
        if stat.S_IMODE(status.st_mode) != _FOLDER_MODE:
            path.chmod(_FOLDER_MODE)
    except OSError as error:
        raise file_error(f"the folder {path} cannot be used", error) from None
    return path


def check_folder(path: Path) -> None:
    """Check that nobody else can exchange files in a folder that the operator chose.

    Raises:
        StoreCorrupted: Others can.
        StoreUnavailable: It cannot be looked at.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise file_error(f"the folder {path} cannot be used", error) from None
    others_write = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    if not stat.S_ISDIR(status.st_mode) or others_write or status.st_uid not in (0, os.geteuid()):
        raise StoreCorrupted(
            f"the folder {path} cannot be used: others can change what is in it; name one that only you can write"
        )


def private_file(path: Path, *, create: bool) -> bool:
    """Check that a file is this user's alone, and that its name is no link.

    Args:
        path: The file.
        create: Make an empty one if it does not exist.

    Returns:
        Whether it exists.

    Raises:
        StoreReadOnly: It cannot be made.
        StoreCorrupted: It is something else, or somebody else's.
    """
    try:
        if create:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with suppress(FileExistsError):
                os.close(os.open(path, flags, _FILE_MODE))
        try:
            status = path.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise StoreCorrupted(f"{path} cannot be used: it is a link, or no file; move it away")
        if status.st_uid != os.geteuid():
            raise StoreCorrupted(f"{path} cannot be used: it belongs to another user; {_ELSEWHERE}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            path.chmod(_FILE_MODE)
    except OSError as error:
        raise file_error(f"{path} cannot be used", error) from None
    return True


def write_once(path: Path, data: bytes) -> None:
    """Write a private file whole, unless one of that name is there already.

    Raises:
        StoreReadOnly: It cannot be written.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise file_error(f"{path} cannot be written", error) from None


def file_error(what: str, error: OSError) -> StoreError:
    """Return the store's error for one of the file system."""
    reason = f"{what}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"{reason}; make room, or {_ELSEWHERE}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreReadOnly(f"{reason}; {_ELSEWHERE}")
    return StoreUnavailable(f"{reason}; {_ELSEWHERE}")
