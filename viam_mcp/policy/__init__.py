"""What may be done to a fleet, who is asked first, and what is written down.

`Gate` decides about every call; `load` reads an operator's policy; `Audit` keeps the record. Nothing here knows
MCP: an `Asker` puts questions to people, and the gate judges their answers.
"""

from viam_mcp.policy._admission import Admission
from viam_mcp.policy._call import LOCAL, Call, Caller
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._gate import CONFIRM_OPERATION, Gate
from viam_mcp.policy._gates import Gates
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.confirm._asker import Asker, QuestionAsked, TokenAsker
from viam_mcp.policy.confirm._question import Answer, Question, Reply, Way
from viam_mcp.policy.record._store import LazyStore
from viam_mcp.policy.rules._file import load, parse
from viam_mcp.policy.rules._normal import NormalForm
from viam_mcp.policy.rules._rules import Action, ConfirmVia, Decision, Policy, Rule, Scope, Secrets
from viam_mcp.policy.rules._start import STARTING_FILE
from viam_mcp.policy.scope._boundary import RECHECK_SECONDS

__all__ = [
    "CONFIRM_OPERATION",
    "LOCAL",
    "RECHECK_SECONDS",
    "STARTING_FILE",
    "Action",
    "Admission",
    "Answer",
    "Asker",
    "Call",
    "Caller",
    "ConfirmVia",
    "Decision",
    "Gate",
    "Gates",
    "LazyStore",
    "NormalForm",
    "Outcome",
    "Policy",
    "PolicyError",
    "Question",
    "QuestionAsked",
    "Refused",
    "Reply",
    "Rule",
    "Scope",
    "Secrets",
    "TokenAsker",
    "Way",
    "load",
    "parse",
]
