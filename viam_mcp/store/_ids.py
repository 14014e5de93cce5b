"""Short ids that a model can repeat without a mistake."""

from __future__ import annotations

import secrets

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # https://www.crockford.com/base32.html: none looks like another


def new_id(prefix: str) -> str:
    """Return a new id such as `op-7f3k-9q2m`. It is no secret: what it names is good for one caller."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{prefix}-{letters[:4]}-{letters[4:]}"


def storable(text: str) -> str:
    """Return a text that both databases take: PostgreSQL has no NUL, and neither has halves of surrogate pairs."""
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
