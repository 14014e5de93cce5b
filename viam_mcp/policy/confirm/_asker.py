"""How the gate has a question answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from viam_mcp.policy.confirm._question import Way
from viam_mcp.tools import TOKEN_BYTES

if TYPE_CHECKING:
    from viam_mcp.policy.confirm._question import Answer, Question


class Asker(Protocol):
    """One way to have a question answered. It decides nothing: the gate judges the answer."""

    @property
    def way(self) -> Way:
        """How the answer comes."""

    @property
    def carries(self) -> int:
        """How many bytes of a preview it can show to a person. It is not asked to show more."""

    @property
    def answer(self) -> Answer | None:
        """The answer that the call brought along; None if it brought none."""

    async def ask(self, question: Question) -> Answer | None:
        """Ask, and wait for the answer; None if the answer comes with another call."""


class TokenAsker:
    """The asker for clients that cannot ask: the question is the call's result, `confirm_operation` the answer.

    Args:
        answer: The answer, where the call is `confirm_operation`.
    """

    way = Way.TOKEN
    carries = TOKEN_BYTES

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer

    async def ask(self, question: Question) -> None:
        """Return None: the answer comes with another call."""


class QuestionAsked(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call waits for an answer, which comes with another call. Nothing was done.

    Attributes:
        question: The question.
    """

    def __init__(self, question: Question) -> None:
        super().__init__(question.message)
        self.question = question
