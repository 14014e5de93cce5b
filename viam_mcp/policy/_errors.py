"""The exceptions of the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viam_mcp.policy.confirm._question import Question


class PolicyError(Exception):
    """The policy, or something that it needs, cannot be used. The message says where, why, and what to try."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run. The message tells the caller why. Nothing was done."""


class QuestionAsked(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call waits for an answer, which comes with another call. Nothing was done.

    Attributes:
        question: The question.
    """

    def __init__(self, question: Question) -> None:
        super().__init__(question.message)
        self.question = question
