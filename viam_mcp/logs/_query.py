"""What a tail follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(frozen=True)
class Query:
    """What a tail follows.

    Attributes:
        part_id: The part.
        errors_only: Only entries of level error.
        filter: Only entries whose message contains this; empty for all.
        digest: Six bytes that stand for all of this.
    """

    part_id: str
    errors_only: bool = True
    filter: str = ""
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = f"{self.part_id} {self.errors_only} {self.filter}"
        object.__setattr__(self, "digest", blake2b(text.encode(), digest_size=6).digest())
