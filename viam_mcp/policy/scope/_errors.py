"""What the service says of a call that failed, without names of what may not be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viam_mcp.app import AppError

WITHHELD = "[…]"
_LOCATION_LENGTH = 10
# The id of a location may look like a word of ten letters; these are words.
_WORDS_OF_TEN = frozenset(
    [
        "applicable",
        "attributes",
        "characters",
        "components",
        "connection",
        "deprecated",
        "identifier",
        "parameters",
        "permission",
        "references",
        "successful",
    ]
)
_TOKEN = re.compile(r"""(?P<quoted>'[^']*'|"(?:[^"\\]|\\.)*"|`[^`]*`) | (?P<word>[^\s'"`,;()\[\]{}]+)""", re.VERBOSE)
_PLAIN = re.compile(r"[a-z]{1,20}(?:'[a-z]{1,2})?[.:!?]?|[A-Z]?[a-z]{0,12}[.:]?|\d{1,6}[.:%]?|[-=<>+/]+")


def without_names(error: AppError, request: Message, target: str) -> AppError:
    """Return an error in whose message every word is withheld that may be the name or the id of something.

    What the caller said, plain words and small numbers stay.

    Args:
        error: The error.
        request: What the caller said.
        target: The address of the service.
    """
    said = {text.casefold() for text in (*_texts(request), *_words_of(request), target, error.rpc, error.status.name)}

    def keep(token: re.Match[str]) -> str:
        text = token[0]
        bare = text.strip("'\"`.:").casefold()
        if len(bare) == _LOCATION_LENGTH and bare not in _WORDS_OF_TEN and bare not in said:
            return WITHHELD
        if bare in said or any(bare in one for one in said if len(bare) > 3):
            return text
        if token["quoted"] is not None:
            return f"{text[0]}{WITHHELD}{text[0]}"
        is_plain = _PLAIN.fullmatch(text) and (text.islower() or token.start() == 0 or not text[0].isalpha())
        return text if is_plain else WITHHELD

    message = _TOKEN.sub(keep, str(error.message))
    error.message = message
    error.args = (error.status, message, None)
    return error


def _texts(message: Message) -> Iterator[str]:
    """The texts in a request, however deep."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else (value,):
            if isinstance(item, str):
                yield item
            elif isinstance(item, Message):
                yield from _texts(item)


def _words_of(message: Message) -> Iterator[str]:
    """The names of a request's fields."""
    for field in message.DESCRIPTOR.fields:
        yield field.name
