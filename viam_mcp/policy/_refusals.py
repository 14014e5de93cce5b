"""What is said of calls that do not run."""

from __future__ import annotations

from viam_mcp.policy.confirm._question import Reply

CLOSED = "{} is not open to your credential. Nothing was done."
CANNOT_ASK = (
    "This client cannot ask its user (it has no elicitation), so nothing was done. Use a client that can, or "
    "viam-mcp call on a terminal."
)
NOT_TICKED = "the form was sent without a tick in the box for yes"
SAID = {
    Reply.DECLINED: "it was declined",
    Reply.CANCELLED: "the question was dismissed",
    Reply.TIMED_OUT: "nobody answered in time",
    Reply.LOST: "the client that was asked has gone",
}
