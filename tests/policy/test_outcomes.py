from __future__ import annotations

from viam_mcp.policy import Outcome, Reply


def test_whatever_comes_of_asking_has_a_word_in_the_audit_unless_the_call_goes_on() -> None:
    assert {reply.value for reply in Reply} - {Reply.ACCEPTED} <= {outcome.value for outcome in Outcome}
