"""`confirm_operation`: how a client that cannot ask its user brings an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from viam_mcp.policy import CONFIRM_OPERATION
from viam_mcp.tools import Effect, Spec, Tool, Whole

if TYPE_CHECKING:
    from viam_mcp.policy import Question

Json = Any


class _AnyResult(Whole):
    """The result of the tool that was confirmed."""

    def properties(self) -> dict[str, Json]:
        """Return nothing: the properties are not known beforehand."""
        return {}

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the value, which is encoded already."""
        return dict(value)


class ConfirmOperation(Tool):
    """Carry out an operation that answered with an operation id instead of being done. Call it only after showing the
    user what the operation would do, and only if the user agrees. The id is good once. Returns what the operation
    returns."""

    operation_id: str = Field(
        min_length=1,
        max_length=64,
        description="From the operation's answer, such as op-7f3k-9q2m; with a page's it gives the next page",
    )

    spec: ClassVar[Spec] = Spec(
        name=CONFIRM_OPERATION,
        toolset="confirmation",
        effect=Effect.DESTRUCTIVE,
        returns=_AnyResult(),
        reveals_secret=False,
        description=" ".join((__doc__ or "").split()),
        rpc=None,
    )


def token_text(question: Question) -> str:
    """Return the question as the result of a call, for a client that cannot ask."""
    if not question.is_last:
        return (
            f"{question.message}\n\nThis client cannot ask its user, so nothing was done. Show the user the text "
            f"above, then call {ConfirmOperation.spec.name} with this operation_id, which only gives the next page:\n"
            f"{question.id}"
        )
    return (
        f"{question.message}\n\nThis client cannot ask its user, so nothing was done. Show the user the text above. "
        f"Only if the user agrees, call {ConfirmOperation.spec.name} with this operation_id. It is good once, for "
        f"exactly this call, for {question.seconds:.0f} s:\n{question.id}"
    )
