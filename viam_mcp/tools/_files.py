"""The folder that tools may read files from and write files to: one, or where there are several callers, one for each.

Paths are relative to it, and stay in it: no absolute path, no `..`, and no link on the way, even one
that is put there between the check and the use, since each step of a path is opened relative to the
one before, refusing links. A file with several hard links is not read. Files are written whole or not at all,
readable by their owner only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator


_LONGEST_PLAIN = 100


class Missing(ToolError):  # noqa: N818 - it is an answer, not a fault
    """There is no such file."""


class Files:
    """A folder that tools may use.

    Args:
        root: The folder; it has to exist.

    Raises:
        NotADirectoryError: It is not one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(f"{root} is not a folder")

    def of(self, caller: str) -> Files:
        """Return the folder of one caller within this one, which is made if it does not exist.

        Raises:
            OSError: It cannot be made, or it is something else than a folder.
        """
        folder = self.root / folder_name(caller)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():
            raise NotADirectoryError(f"{folder} is a link, not a folder")
        return Files(folder)

    def write(self, path: str, data: bytes, *, overwrite: bool) -> None:
        """Write a file whole, mode 0600. An existing one is replaced only if `overwrite`.

        Raises:
            ToolError: The path leaves the folder or passes a link, or the file exists.
        """
        with self._parent(path, create=True) as (folder, name):
            try:
                with _draft(folder, data) as draft:
                    if overwrite:
                        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
                    else:
                        # A link is made only where nothing is, which a rename would not check.
                        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                raise ToolError(f"{quoted(path)} exists. Give another name, or overwrite=true to replace it.") from None
            except OSError as error:
                raise ToolError(f"{quoted(path)} cannot be written: {error.strerror}.") from None

    def digest(self, path: str) -> tuple[int, str] | None:
        """Return the size and the SHA-256 of a file; None if there is none of that name.

        Raises:
            ToolError: The path leaves the folder, or leads to something else than a regular file.
        """
        try:
            with self.open(path) as (file, size):
                return size, sha256(file)
        except Missing:
            return None

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[IO[bytes], int]]:
        """Return a regular file, open for reading, and its size in bytes.

        Raises:
            ToolError: There is no such regular file in the folder.
        """
        with self._parent(path, create=False) as (folder, name):
            try:
                # Without O_NONBLOCK a named pipe would block here for ever.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError as error:
                raise _refused(path, error) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise ToolError(f"{quoted(path)} is not a regular file.")
        # A hard link may be another name of a file outside of the folder.
        if status.st_nlink > 1:
            os.close(descriptor)
            raise ToolError(
                f"{quoted(path)} has other names (hard links), so it may be a file from elsewhere: copy it."
            )
        with os.fdopen(descriptor, "rb") as file:
            yield file, status.st_size

    @contextmanager
    def _parent(self, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
        """Return the folder that holds `path`, as an open descriptor, and the last step's name."""
        steps = PurePosixPath(path).parts
        if "\0" in path or not steps or path.startswith("/") or ".." in steps or path.endswith("/"):
            raise ToolError(f"{quoted(path)} is not a path below the files folder: give a relative one without '..'.")
        with ExitStack() as stack:
            try:
                folder = _open_folder(stack, self.root, None)
                for step in steps[:-1]:
                    if create:
                        _make_folder(step, folder)
                    folder = _open_folder(stack, step, folder)
            except OSError as error:
                raise _refused(path, error) from None
            yield folder, steps[-1]


def folder_name(caller: str) -> str:
    """Return the name of a caller's folder: readable, and no other caller's, not even where capitals do not count."""
    plain = quote(caller, safe="@:+")
    if len(plain) <= _LONGEST_PLAIN and plain == plain.lower():
        return plain
    # No name without capitals can end like this: it would have to be longer than it is.
    return f"{plain[:_LONGEST_PLAIN]}~{hashlib.sha256(caller.encode()).hexdigest()[:24]}"


def _open_folder(stack: ExitStack, name: str | Path, within: int | None) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    stack.callback(os.close, descriptor)
    return descriptor


@contextmanager
def _draft(folder: int, data: bytes) -> Iterator[str]:
    """Return a file that holds `data`, safely on the disk, under a name that is gone when the block is left."""
    name = f".{secrets.token_hex(8)}.tmp"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _make_folder(name: str, within: int) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=within)
    except FileExistsError:
        return


def _refused(path: str, error: OSError) -> ToolError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return ToolError(f"{quoted(path)} passes through a link or what is not a folder, which is not followed.")
    kind = Missing if error.errno == errno.ENOENT else ToolError
    return kind(f"{quoted(path)} cannot be opened: {error.strerror}.")


def sha256(file: IO[bytes]) -> str:
    """Return the SHA-256 of a file from its position on, in hexadecimal digits."""
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO lacks `readinto`
