"""Generate `tool_schemas/`, the README's table of tools and the table of limits in `docs/deploy.md`.

One JSON file per tool holds what `tools/list` says of it, and besides its toolset, its effect and
whether its answer carries a credential: a change of what clients see is a change that can be reviewed.

    python scripts/schemas.py [--check]

`--check` writes nothing and fails when what is checked in differs, or when a tool lacks something that is made by
hand (see `places`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import places
from viam_mcp.calls import ConfirmOperation
from viam_mcp.calls import table as limits
from viam_mcp.tools import ON_REQUEST, TOOLS, TOOLSETS, definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.calls import Limit
    from viam_mcp.tools import Tool

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("tool_schemas")
README = Path("README.md")
DEPLOY = Path("docs/deploy.md")
LISTED: dict[str, type[Tool]] = {**TOOLS, ConfirmOperation.spec.name: ConfirmOperation}
"""Every tool that a client may see."""


def schema_file(tool: type[Tool]) -> str:
    """The text of a tool's file."""
    spec = tool.spec
    known = {"toolset": spec.toolset, "effect": spec.effect, "reveals_secret": spec.reveals_secret}
    return json.dumps({**definition(tool), **known}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def table(listed: Mapping[str, type[Tool]] = LISTED) -> str:
    """The tools as a Markdown table, by toolset."""
    lines = ["| toolset | tool | effect | what it does |", "| --- | --- | --- | --- |"]
    toolsets = [*TOOLSETS, ConfirmOperation.spec.toolset]
    for tool in sorted((tool.spec for tool in listed.values()), key=lambda spec: toolsets.index(spec.toolset)):
        effect = f"{tool.effect}, credential" if tool.reveals_secret else str(tool.effect)
        toolset = f"{tool.toolset} (on request)" if tool.toolset in ON_REQUEST else tool.toolset
        lines.append(f"| {toolset} | `{tool.name}` | {effect} | {tool.summary} |")
    return "\n".join(lines)


def limit_table() -> str:
    """The limits of a server as a Markdown table."""
    lines = [
        "| what is limited | for one | in all | flags | what is said when it is reached |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_limit_line(limit) for limit in limits().values()]
    return "\n".join(lines)


def _limit_line(limit: Limit) -> str:
    each = "" if limit.each is None else f"{limit.each:,} for each {limit.holder}"
    in_all = "" if limit.in_all is None else f"{limit.in_all:,}"
    flags = ", ".join(f"`{flag}`" for flag in limit.setting.split(", ") if flag)
    told = [
        f"“{text.format(most=f'{most:,}')}”"
        for text, most in ((limit.told, limit.each), (limit.told_all, limit.in_all))
        if text
    ]
    return f"| {limit.what} | {each} | {in_all} | {flags} | {' '.join(told)} |"


def with_table(document: str, name: str, content: str) -> str:
    """The document with a table between its markers, which are added at the end where it has none."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    block = f"{begin}\n{content}\n{end}"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if found.search(document):
        return found.sub(lambda _: block, document)
    return f"{document.rstrip()}\n\n{block}\n".lstrip()


def wanted(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, relative to `root`, with the text that it should have."""
    files = {FOLDER / f"{name}.json": schema_file(tool) for name, tool in LISTED.items()}
    return {
        **files,
        README: with_table(_text(root / README) or "", "tools", table()),
        DEPLOY: with_table(_text(root / DEPLOY) or "", "limits", limit_table()),
    }


def stale(root: Path = ROOT) -> list[Path]:
    """The files that differ from what is wanted: changed, missing, or of a tool that is no more."""
    files = wanted(root)
    left_over = {path.relative_to(root) for path in (root / FOLDER).glob("*")} - files.keys()
    return sorted([path for path, text in files.items() if _text(root / path) != text] + [*left_over])


def write(root: Path = ROOT) -> list[Path]:
    """Bring the files up to date; which ones changed."""
    files, changed = wanted(root), stale(root)
    (root / FOLDER).mkdir(exist_ok=True)
    for path in changed:
        if path in files:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(files[path])
        else:
            (root / path).unlink()
    return changed


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate tool_schemas/ and the tables of tools and limits.")
    parser.add_argument("--check", action="store_true", help="only say what differs")
    check = parser.parse_args().check
    changed = stale() if check else write()
    for path in changed:
        print(f"{'stale' if check else 'wrote'}: {path}")
    if check and changed:
        print("The tools or limits and their generated files differ: run `make schemas` and commit the result.")
    lacking = places.problems() if check else []
    print(*lacking, sep="\n", end="\n" if lacking else "")
    return 1 if check and (changed or lacking) else 0


if __name__ == "__main__":
    sys.exit(main())
