"""What an argument means where its JSON type does not tell.

By these marks the policy brings arguments into one normal form before a rule sees them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EmailAddress:
    """Marks a text that is an e-mail address."""


@dataclass(frozen=True)
class MachineConfig:
    """Marks the configuration of a machine part or a fragment.

    Attributes:
        text_of: The field that it may be given in place of, where it is JSON text; None for an object.
    """

    text_of: str | None = None


@dataclass(frozen=True)
class IsPublic:
    """Marks a flag that says who may see something, as a visibility does: public or private."""


@dataclass(frozen=True)
class IsVisibility:
    """Marks a text that says who may see something: private, or public in one way or another."""
