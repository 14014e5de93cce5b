"""The exceptions of the policy."""

from __future__ import annotations


class PolicyError(Exception):
    """The policy, or something that it needs, cannot be used. The message says where, why, and what to try."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run. The message tells the caller why. Nothing was done."""
