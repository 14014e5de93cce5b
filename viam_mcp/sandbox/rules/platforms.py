"""The platforms that modules are built for."""

from __future__ import annotations

__all__ = ["PLATFORMS", "overlap"]

PLATFORMS = (
    "any",
    "any/amd64",
    "any/arm64",
    "linux/any",
    "darwin/any",
    "linux/amd64",
    "linux/arm64",
    "linux/arm32v6",
    "linux/arm32v7",
    "darwin/amd64",
    "darwin/arm64",
    "windows/amd64",
)


def overlap(one: str, other: str) -> bool:
    """Return whether a machine can be of both platforms: linux/arm64 is of "linux/any" and of "any/arm64"."""
    return all("any" in pair or pair[0] == pair[1] for pair in zip(_halves(one), _halves(other), strict=True))


def _halves(platform: str) -> tuple[str, str]:
    system, _, architecture = platform.partition("/")
    return system, architecture or "any"
