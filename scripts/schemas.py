"""Generate `tool_schemas/` and the README's table of tools from the tools themselves.

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
from viam_mcp.tools import TOOLS, TOOLSETS, definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.tools import Tool

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("tool_schemas")
README = Path("README.md")
LISTED: dict[str, type[Tool]] = {**TOOLS, ConfirmOperation.spec.name: ConfirmOperation}
"""Every tool that a client may see."""

BEGIN, END = "<!-- tools:begin -->", "<!-- tools:end -->"


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
        lines.append(f"| {tool.toolset} | `{tool.name}` | {effect} | {tool.summary} |")
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """The README with the present table between its markers, which are added at the end where it has none."""
    block = f"{BEGIN}\n{table()}\n{END}"
    found = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if found.search(readme):
        return found.sub(lambda _: block, readme)
    return f"{readme.rstrip()}\n\n{block}\n".lstrip()


def wanted(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, relative to `root`, with the text that it should have."""
    files = {FOLDER / f"{name}.json": schema_file(tool) for name, tool in LISTED.items()}
    return {**files, README: with_table(_text(root / README) or "")}


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
            (root / path).write_text(files[path])
        else:
            (root / path).unlink()
    return changed


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate tool_schemas/ and the README's table of tools.")
    parser.add_argument("--check", action="store_true", help="only say what differs")
    check = parser.parse_args().check
    changed = stale() if check else write()
    for path in changed:
        print(f"{'stale' if check else 'wrote'}: {path}")
    if check and changed:
        print("The tools and their generated files differ: run `make schemas` and commit the result.")
    lacking = places.problems() if check else []
    print(*lacking, sep="\n", end="\n" if lacking else "")
    return 1 if check and (changed or lacking) else 0


if __name__ == "__main__":
    sys.exit(main())
