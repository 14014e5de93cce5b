"""Which names things may have."""

from __future__ import annotations

import re

from viam_mcp.sandbox.rpc import invalid
from viam_mcp.sandbox.rules.access import quoted

__all__ = [
    "EMAIL_LIMIT",
    "LABEL_LIMIT",
    "MACHINE_LIMIT",
    "PART_LIMIT",
    "REGISTRY_LIMIT",
    "dns",
    "email",
    "label",
    "machine",
    "part",
    "region",
    "registry_item",
]

# The form is published for registry items. For machines and parts it is not; these characters are allowed in
# addresses.
_FORM = re.compile(r"[a-zA-Z0-9][-\w]*", re.ASCII)
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OUTSIDE_DNS = re.compile(r"[^a-z0-9]+")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+")

LABEL_LIMIT = 200
EMAIL_LIMIT = 254
PART_LIMIT = 63  # a part's name becomes one label of its DNS name
MACHINE_LIMIT = PART_LIMIT - len("-main")  # so that the first part of every machine has a name that fits
REGISTRY_LIMIT = 200


def label(name: str, what: str) -> str:
    """Return a name for people, of a location or a fragment for example: anything printable that is not blank.

    Raises:
        Refusal: INVALID_ARGUMENT, naming what is wrong with it.
    """
    if not name.strip():
        raise invalid(f"the {what}'s name is empty: give it a name")
    if len(name) > LABEL_LIMIT:
        raise invalid(f"the {what}'s name has {len(name)} characters: at most {LABEL_LIMIT} are allowed")
    if not name.isprintable():
        raise invalid(f"the {what}'s name {quoted(name)} has control characters: use printable ones")
    return name


def region(name: str) -> str:
    """Return a region's name. Which ones exist is not published, so any name of the right form is taken.

    Raises:
        Refusal: INVALID_ARGUMENT: nothing that could be one.
    """
    if len(name) > LABEL_LIMIT or not _REGION.fullmatch(name):
        raise invalid(f"the region {quoted(name)} has not the form of one: use a name like 'us-central'")
    return name


def machine(name: str) -> str:
    """Return a machine's name, which has to be short enough for the name of its first part.

    Raises:
        Refusal: INVALID_ARGUMENT, saying which form it needs.
    """
    return _formed(name, "machine", MACHINE_LIMIT)


def part(name: str) -> str:
    """Return a part's name, which its address is made from.

    Raises:
        Refusal: INVALID_ARGUMENT, saying which form it needs.
    """
    return _formed(name, "part", PART_LIMIT)


def registry_item(name: str) -> str:
    """Return a registry item's name, which is the second half of its id.

    Raises:
        Refusal: INVALID_ARGUMENT, saying which form it needs.
    """
    return _formed(name, "registry item", REGISTRY_LIMIT)


def email(address: str) -> str:
    """Return an e-mail address in the form that users are found by: lowercase.

    Raises:
        Refusal: INVALID_ARGUMENT: it is none.
    """
    if len(address) > EMAIL_LIMIT or not _EMAIL.fullmatch(address) or not address.isprintable():
        raise invalid(f"email: expected an address like name@example.com, got {quoted(address)}")
    return address.lower()


def _formed(name: str, what: str, limit: int) -> str:
    if len(name) > limit or not _FORM.fullmatch(name):
        raise invalid(
            f"the {what} name {quoted(name)} is not allowed: it needs 1 to {limit} letters, digits, '-' or '_', "
            "starting with a letter or digit"
        )
    return name


def dns(name: str) -> str:
    """Return a name as one label of a DNS name: lowercase, with '-' for what does not fit."""
    return _OUTSIDE_DNS.sub("-", name.lower()).strip("-")
