"""The fleet's operations as tools: one module per toolset, one class per tool.

`TOOLS` holds all of them by name, `definition` is a tool as data, `collect` runs a list.
"""

from viam_mcp.tools._belongs import AS_ASKED, BELONGS, OUTSIDE, Belongs, undeclared_fields
from viam_mcp.tools._environment import Environment, Progress, no_progress
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._files import Files
from viam_mcp.tools._refs import NotARef, Ref, Reference, marks_of, models_in, references
from viam_mcp.tools._schema import definition, hints, input_schema
from viam_mcp.tools._spec import Effect, ScopedBy, Spec
from viam_mcp.tools._tool import TOOLS, ListTool, Tool
from viam_mcp.tools.arguments._meaning import EmailAddress, IsPublic, IsVisibility, MachineConfig
from viam_mcp.tools.arguments._types import FORMS, NOT_EMPTY, KeepEmpty
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.previews._pages import (
    ALL_SHOWN,
    FORM_BYTES,
    MOST_PAGES,
    PAGE_BYTES,
    TOKEN_BYTES,
    Page,
    StaleCursor,
    code_of,
    page_of,
    size_of,
)
from viam_mcp.tools.redaction._secrets import REDACTED, redacted, without_secrets
from viam_mcp.tools.redaction._share import removed_share
from viam_mcp.tools.redaction._text import json_text, sanitize, shorten
from viam_mcp.tools.results._budget import fit
from viam_mcp.tools.results._log_entries import line
from viam_mcp.tools.results._output import Done, Whole, as_text, output_schema
from viam_mcp.tools.results._paging import collect
from viam_mcp.tools.sets import (
    auth_service,
    billing,
    branding,
    fragment_versions,
    fragments,
    keys,
    locations,
    logs,
    machines,
    metadata,
    modules,
    namespaces,
    oauth_apps,
    organizations,
    parts,
    push,
    registry,
    registry_lifecycle,
    roles,
)

__all__ = [
    "ALL_SHOWN",
    "AS_ASKED",
    "BELONGS",
    "FORMS",
    "FORM_BYTES",
    "MOST_PAGES",
    "NOT_EMPTY",
    "ON_REQUEST",
    "OUTSIDE",
    "PAGE_BYTES",
    "REDACTED",
    "TOKEN_BYTES",
    "TOOLS",
    "TOOLSETS",
    "Belongs",
    "Consequence",
    "Done",
    "Effect",
    "EmailAddress",
    "Environment",
    "Files",
    "IsPublic",
    "IsVisibility",
    "KeepEmpty",
    "ListTool",
    "MachineConfig",
    "NotARef",
    "Page",
    "Preview",
    "Progress",
    "Ref",
    "Reference",
    "Risk",
    "ScopedBy",
    "Spec",
    "StaleCursor",
    "Tool",
    "ToolError",
    "Whole",
    "as_text",
    "code_of",
    "collect",
    "definition",
    "fit",
    "hints",
    "input_schema",
    "json_text",
    "line",
    "marks_of",
    "models_in",
    "no_progress",
    "output_schema",
    "page_of",
    "quoted",
    "redacted",
    "references",
    "removed_share",
    "sanitize",
    "shorten",
    "size_of",
    "undeclared_fields",
    "without_secrets",
]

_MORE = (fragment_versions, metadata, namespaces, registry_lifecycle)
"""Modules with more tools of toolsets that have a module of their own."""

_MODULES = (
    organizations,
    locations,
    machines,
    parts,
    logs,
    fragments,
    roles,
    registry,
    modules,
    keys,
    billing,
    oauth_apps,
    push,
    branding,
    auth_service,
)

TOOLSETS: dict[str, str] = {module.__name__.rpartition(".")[2]: (module.__doc__ or "").strip() for module in _MODULES}
"""The toolsets by name, with what each is about."""

ON_REQUEST = frozenset(
    module.__name__.rpartition(".")[2] for module in _MODULES if getattr(module, "ON_REQUEST", False)
)
"""The toolsets that daily work does not need: a server offers them only where they are asked for. Their modules say
so with `ON_REQUEST = True`."""
