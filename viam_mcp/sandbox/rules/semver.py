"""Versions as Semantic Versioning 2.0 has them."""

from __future__ import annotations

import re

__all__ = ["Precedence", "precedence"]

_NUMBER = r"(0|[1-9]\d*)"
_TAG = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_FORM = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_TAG}(?:\.{_TAG})*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?", re.ASCII
)

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def precedence(version: str) -> Precedence | None:
    """Return the key that versions are compared by, or None if this is not a version.

    A version with a pre-release tag comes before the one without; within tags, numbers are compared
    as numbers and come before words. Build metadata does not count.
    """
    match = _FORM.fullmatch(version)
    if match is None:
        return None
    major, minor, patch, tags = match.groups()
    words = tuple(
        (not tag.isdecimal(), int(tag) if tag.isdecimal() else 0, tag) for tag in (tags.split(".") if tags else ())
    )
    return int(major), int(minor), int(patch), not tags, words
