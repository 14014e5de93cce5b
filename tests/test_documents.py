"""What the documents say of settings and files is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from viam_mcp.assembly.options import OPTIONS, TOKEN_OPTIONS, Option
from viam_mcp.assembly.settings import read_settings
from viam_mcp.assembly.store import check_store
from viam_mcp.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README, DEPLOYING = ((ROOT / path).read_text() for path in ("README.md", "docs/deploy.md"))
FLAGS = [option for group in OPTIONS.values() for option in group]


def named(flag: str, *documents: str) -> bool:
    """Whether a document names a flag, and not only a longer one that begins with it."""
    return any(re.search(rf"`[^`\n]*{re.escape(flag)}(?![\w-])", text) for text in documents)


@pytest.mark.parametrize("option", FLAGS, ids=lambda option: option.name)
def test_every_flag_of_the_server_is_explained(option: Option) -> None:
    assert named(option.flag, README, DEPLOYING)


@pytest.mark.parametrize("option", TOKEN_OPTIONS, ids=lambda option: option.name)
def test_every_flag_of_a_token_is_explained_where_tokens_are(option: Option) -> None:
    tokens = DEPLOYING.partition("\n## Tokens\n")[2].partition("\n## ")[0]
    assert named(option.flag, tokens)


def test_no_flag_is_explained_that_there_is_none_of() -> None:
    tables = [
        line.split("|")[1] for text in (README, DEPLOYING) for line in text.splitlines() if line.startswith("| `--")
    ]
    explained = {flag for cell in tables for flag in re.findall(r"--[a-z][a-z-]*", cell)}
    assert explained <= {option.flag for option in (*FLAGS, *TOKEN_OPTIONS)}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table(command: str) -> None:
    assert re.search(rf"^\| `viam-mcp {command}\b", README, re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "docs/deploy.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_a_link_leads_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file) if file else path
        assert to.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", to.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_variables_without_a_flag_may_be_empty_and_are_unset_then(monkeypatch: pytest.MonkeyPatch) -> None:
    table = README.partition("| variable | meaning |\n")[2].partition("\n\n")[0]
    variables = re.findall(r"`([A-Z_]+)`", table)
    assert {"VIAM_API_KEY", "VIAM_MCP_STATE_KEYS", "VIAM_MCP_METRICS_TOKEN"} <= set(variables)
    assert not set(variables) & {option.variable for option in FLAGS}
    empty = dict.fromkeys(variables, "")
    assert read_settings({}, empty) == read_settings({}, {})
    for name in variables:
        monkeypatch.setenv(name, "")
    check_store(read_settings({}, {}))
    # What is composed leaves them so unless somebody sets them.
    composed = re.findall(r"^      ([A-Z_]+): \$\{\1:-\}$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert set(composed) == {"VIAM_MCP_STATE_KEYS", "VIAM_MCP_METRICS_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT"}


def pins(name: str) -> dict[str, str]:
    """The packages of a requirements file with their versions, those of the files that it includes among them."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            found |= pins(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            package, _, version = line.partition("==")
            found[package] = version
    return found


def test_the_image_has_what_traces_take_at_the_versions_that_are_tested() -> None:
    tracing, developing = pins("requirements-tracing.txt"), pins("requirements-dev.txt")
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["otel"]
    assert {re.split("[>=<]", requirement)[0] for requirement in extra} <= set(tracing)
    assert all(tracing.values())
    both = tracing.keys() & developing.keys()
    assert {name: tracing[name] for name in both} == {name: developing[name] for name in both}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^COPY .*\brequirements-tracing\.txt\b", dockerfile, re.MULTILINE)
    assert "pip install -r requirements-tracing.txt" in dockerfile
