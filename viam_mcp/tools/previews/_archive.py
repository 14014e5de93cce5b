"""What an archive of a module holds: whether its entrypoint is in it, and which platforms that is for."""

from __future__ import annotations

import json
import posixpath
import tarfile
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from viam_mcp.tools.previews._values import folded, legible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Json = Any

_MOST_MEMBERS = 100_000
_MOST_BYTES = 2 * 1024**3
"""Of how much, unpacked, is looked at: an archive may hold far more than it takes."""
_HEAD = 20  # bytes that tell what kind of program a file is
_LARGEST_DESCRIPTION = 1_000_000
_DESCRIPTION = "meta.json"

PLATFORMS = frozenset(
    {"any", "any/amd64", "any/arm64", "linux/any", "darwin/any", "linux/amd64", "linux/arm64", "linux/arm32v6"}
    | {"linux/arm32v7", "darwin/amd64", "darwin/arm64", "windows/amd64"}
)
"""The platforms that the registry knows."""

_ELF = {0x3E: "amd64", 0xB7: "arm64", 0x28: "arm32"}
_MACH_O = {0x01000007: "amd64", 0x0100000C: "arm64"}


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        runs: Whether it may be run.
        system: The system that it is a program for; empty if it is none, such as a script.
        machine: The processor that it is a program for.
    """

    runs: bool
    system: str = ""
    machine: str = ""


@dataclass(frozen=True)
class Archive:
    """What an archive holds.

    Attributes:
        problem: Why it could not be looked into, or not to its end; empty if it was.
        members: Its files by path.
        platforms: The platforms that its own description says it is built for.
        entrypoint: The entrypoint that its own description names.
    """

    problem: str = ""
    members: Mapping[str, Member] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    entrypoint: str = ""

    def lines(self, entrypoint: str, platform: str) -> list[str]:
        """Return what to say about it.

        Args:
            entrypoint: The program that the module is started with; empty if it is not known.
            platform: The platform that it is uploaded for.
        """
        return [*self._about(entrypoint or self.entrypoint, platform), *self._described(entrypoint, platform)]

    def _about(self, entrypoint: str, platform: str) -> Iterator[str]:
        if self.problem:
            yield self.problem
        if not entrypoint:
            return
        said = legible(repr(entrypoint))
        member = self.members.get(_plain(entrypoint))
        if member is None:
            if not self.problem:
                yield f"THE ENTRYPOINT {said} IS NOT IN THE ARCHIVE: no machine can start it."
        elif not member.runs:
            yield f"The entrypoint {said} is in the archive, but MAY NOT BE RUN: no machine can start it."
        elif member.machine and not _fits(member, platform):
            built = f"{member.system}/{member.machine}"
            yield f"The entrypoint {said} is in the archive, but IS A PROGRAM FOR {built}, not for {platform}."
        else:
            yield f"The entrypoint {said} is in the archive."

    def _described(self, entrypoint: str, platform: str) -> Iterator[str]:
        if self.platforms and platform not in self.platforms:
            listed = ", ".join(legible(repr(one)) for one in self.platforms)
            yield f"The archive's own description does NOT NAME THIS PLATFORM; it names {listed}."
        if entrypoint and self.entrypoint and _plain(entrypoint) != _plain(self.entrypoint):
            yield f"The archive's own description names another entrypoint: {legible(repr(self.entrypoint))}."


def platform_lines(platform: str, known: Collection[str]) -> list[str]:
    """Return what to say about the platform that a version is uploaded for.

    Args:
        platform: The platform.
        known: The platforms that there are versions for.
    """
    if platform not in PLATFORMS:
        return [f"{legible(repr(platform))} IS NONE OF THE REGISTRY'S PLATFORMS."]
    if known and platform not in known:
        listed = folded((legible(repr(one)) for one in sorted(known)), counted=False)
        return [f"THIS IS A NEW PLATFORM for it: there are versions for {listed}."]
    return []


def look_into(file: IO[bytes]) -> Archive:
    """Return what an archive holds. It is read from its beginning, and nothing is unpacked to disk."""
    file.seek(0)
    members: dict[str, Member] = {}
    description: dict[str, Json] = {}
    problem = ""
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            size = 0
            for entry in archive:
                size += entry.size
                if len(members) >= _MOST_MEMBERS or size > _MOST_BYTES:
                    problem = "The archive is too large to be looked into to its end."
                    break
                path = _plain(entry.name)
                content = archive.extractfile(entry) if entry.isfile() else None
                if path == _DESCRIPTION and content is not None and entry.size <= _LARGEST_DESCRIPTION:
                    description = _description(content.read())
                elif content is not None or entry.issym() or entry.islnk():
                    head = content.read(_HEAD) if content is not None else b""
                    members[path] = Member(entry.issym() or entry.islnk() or bool(entry.mode & 0o111), *_program(head))
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError):
        problem = "THE FILE IS NO WHOLE ARCHIVE that can be read (a .tar.gz is expected)."
    return Archive(problem, members, _platforms(description), _text(description.get("entrypoint")))


def _plain(path: str) -> str:
    return posixpath.normpath(path).lstrip("/")


def _description(data: bytes) -> dict[str, Json]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _platforms(description: Mapping[str, Json]) -> tuple[str, ...]:
    build = description.get("build")
    arch = build.get("arch") if isinstance(build, dict) else None
    return tuple(one for one in arch if isinstance(one, str)) if isinstance(arch, list) else ()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _program(head: bytes) -> tuple[str, str]:
    """Return the system and the processor that a file is a program for; nothing for what is none."""
    if head.startswith(b"\x7fELF") and len(head) >= _HEAD:
        is_big_endian = head[5] == 2
        return "linux", _ELF.get(int.from_bytes(head[18:20], "big" if is_big_endian else "little"), "")
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"):
        return "darwin", _MACH_O.get(int.from_bytes(head[4:8], "little"), "")
    if head.startswith(b"MZ"):
        return "windows", "amd64"
    return "", ""


def _fits(member: Member, platform: str) -> bool:
    """Whether a program runs on a platform of the registry: `linux/any`, `any/arm64`, `linux/arm32v7`."""
    system, _, machine = platform.partition("/")
    return system in ("any", member.system) and (machine in ("", "any") or machine.startswith(member.machine))
