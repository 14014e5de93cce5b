"""What goes wrong before and during a decision."""

from __future__ import annotations


class PolicyError(Exception):
    """The policy, or what it needs, cannot be used; the message says where, why, and what to try."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run; the message tells the caller why. Nothing was done."""
