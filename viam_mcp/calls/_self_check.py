"""With `--debug`, every answer is validated against its tool's output schema."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from viam_mcp.tools import output_schema

if TYPE_CHECKING:
    from viam_mcp.tools import Spec

logger = logging.getLogger("viam_mcp.server")


def check(spec: Spec, data: dict[str, Any]) -> None:
    """Log where an answer does not fit its tool's output schema. Does nothing unless debugging is on."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    # The library is large: it is not loaded without --debug.
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(output_schema(spec.returns)).iter_errors(data):
        logger.error("the answer of %s is not what its schema says, at %s", spec.name, error.json_path)
