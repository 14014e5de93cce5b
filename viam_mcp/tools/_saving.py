"""Tools that read and write files of the operator's files folder."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._text import is_clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools._files import Files
    from viam_mcp.tools.previews._model import Preview


def _plain(path: str) -> str:
    # One file has one name here, so that a rule about a name cannot be dodged by another one.
    if str(PurePosixPath(path)) != path:
        raise PydanticCustomError("expected", "a path without '.', doubled slashes or a slash at its end")
    # Nobody who is asked about one of two names that look the same can tell them apart.
    if not is_clean(path):
        raise PydanticCustomError("expected", "a path of one line without characters that cannot be seen")
    return path


_Path = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_plain)]
Dest = Annotated[_Path, Field(description="Also write to this file, below the server's files folder")]
Source = Annotated[_Path, Field(description="Path below the server's files folder")]
Overwrite = Annotated[bool, Field(description="Replace dest if it exists")]


def _files(environment: Environment) -> Files:
    if environment.files is None:
        raise ToolError(
            "This server has no files folder, so it neither reads nor writes files. "
            "Leave dest out, or ask the operator to start it with --files-dir DIR."
        )
    return environment.files


class Saving(Tool):
    """A tool whose answer can be written to a file as well: its arguments are `dest` and `overwrite`.

    The fleet stays as it is, but a call that writes is more than a read: it is decided, shown and written down as one.
    """

    @property
    def effect(self) -> Effect:
        """A file is added, or one that may exist is replaced; without `dest`, nothing is changed."""
        if self._path() is None:
            return self.spec.effect
        return Effect.DESTRUCTIVE if getattr(self, "overwrite", False) else Effect.WRITE

    @classmethod
    def effects(cls) -> tuple[Effect, ...]:
        """With `dest`, with `overwrite` besides, or without."""
        return (cls.spec.effect, Effect.WRITE, Effect.DESTRUCTIVE)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        """What is read, and the file that it goes to."""
        read, path = await super().preview(app, environment), self._path()
        if path is None:
            return read
        found = await asyncio.to_thread(_files(environment).digest, path)
        line = f"A new file is written: {quoted(path)}, below the server's files folder."
        if found is not None:
            size, digest = found
            line = f"A file of {size:,} bytes is REPLACED: {quoted(path)}, SHA-256 {digest}."
            if self.effect is Effect.WRITE:
                line = f"The file {quoted(path)} exists, so this is refused: give another name, or overwrite."
        return replace(read, lines=(*read.lines, line), subject=path)

    def _path(self) -> str | None:
        """The file that this call writes; None if it writes none."""
        path: str | None = getattr(self, "dest", None)
        return path


async def save(environment: Environment, path: str, data: bytes, *, overwrite: bool) -> None:
    """Write a file into the files folder, and tell the caller so.

    Raises:
        ToolError: There is no files folder, or the file cannot be written.
    """
    await asyncio.to_thread(_files(environment).write, path, data, overwrite=overwrite)
    environment.notes.append(f"Written to {quoted(path)}: {len(data):,} bytes.")


@contextmanager
def opened(environment: Environment, path: str) -> Iterator[tuple[IO[bytes], int]]:
    """A file of the files folder, open for reading, and its size in bytes.

    Raises:
        ToolError: There is no files folder, or no such file.
    """
    with _files(environment).open(path) as file_and_size:
        yield file_and_size
