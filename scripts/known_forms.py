"""Write viam_mcp/tools/redaction/_known_forms.py from the rules of CredSweeper, a maintained detector of credentials.

Its rules are data in its wheel, under the MIT licence. The detector itself needs numpy, pandas and onnxruntime and
takes seconds to start, so that it is read here and not when viam-mcp runs. Its wheel is no dependency:

    pip download --no-deps credsweeper
    python scripts/known_forms.py credsweeper-*.whl
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

TARGET = Path(__file__).parent.parent / "viam_mcp/tools/redaction/_known_forms.py"
_BOUNDARY = (
    r"(?:^|/|[^\\0-9A-Za-z+_-]|\\[0abfnrtv]|(?:%|\\x)[0-9A-Fa-f]{2}|\\[0-7]{3}"
    r"|\\[Uu][0-9A-Fa-f]{4}|\x1B\[[0-9;]{0,80}m)"
)
_LONGEST = 160  # what a bounded pattern may scan from one position
_OURS = {
    # By what stands before them, or decoded: read by viam-mcp's own rules.
    "JSON Web Token", "JSON Web Key", "JWK", "Azure Access Token", "Grafana Provisioned API Key", "PEM Private Key",
    "BASE64 encoded PEM Private Key", "BASE64 Private Key", "Basic Authorization", "Bearer Authorization",
    "NTLM Token", "SQL Password", "CURL Options", "CURL User Password", "CMD ConvertTo-SecureString",
    "CMD Password", "CMD Token", "CMD Secret", "URL Credentials", "Slack Webhook", "Discord Webhook",
    # No credentials, or forms that harmless values have too.
    "UUID", "Product Activation Key", "Firebase Domain", "AWS S3 Bucket", "Google Multi", "AWS Multi",
    "Alibaba Multi", "Twilio Multi", "Dropbox App secret", "NKEY Seed", "OTP / 2FA Secret", "Facebook App Token",
    "Tencent WeChat API App ID", "Composio Credentials", "Jira / Confluence PAT token", "Salesforce Credentials",
    "Dropbox API secret (long term)", "Twilio Credentials", "Square Access Token", "Typeform API Personal Token",
    "X App-Only Authentication Bearer Token",
}  # fmt: skip
_TOO_SHORT = 3  # characters of a prefix that tell nothing by themselves
_MOST_PREFIXES = 20  # of one rule


def main(wheel: str) -> None:
    import yaml  # CredSweeper's own format; nothing else here needs it

    with zipfile.ZipFile(wheel) as archive:
        rules = yaml.safe_load(archive.read("credsweeper/rules/config.yaml"))
    prefixes: set[str] = set()
    patterns: dict[str, str] = {}
    for rule in rules:
        if "code" not in rule["target"] or rule["type"] not in ("pattern", "multi") or rule["name"] in _OURS:
            continue
        for value in rule["values"]:
            pattern = value.replace(_BOUNDARY, "")
            found = _prefixes(parser.parse(pattern))
            if len(found) <= _MOST_PREFIXES and all(len(prefix) > _TOO_SHORT for prefix in found):
                prefixes |= found
            else:
                patterns[rule["name"]] = _bounded(pattern)
    version = wheel.rsplit("credsweeper-", 1)[1].split("-", maxsplit=1)[0]
    TARGET.write_text(_module(version, sorted(prefixes), patterns))


def _prefixes(parsed: Any) -> set[str]:
    """The texts with which what a pattern finds begins, up to the first character that may differ."""
    done, open_ = set(), {""}
    for kind, argument in parsed:
        if kind in (op.ASSERT, op.ASSERT_NOT, op.AT):
            continue
        if kind is op.LITERAL:
            open_ = {prefix + chr(argument) for prefix in open_}
        elif kind is op.SUBPATTERN:
            inner = _prefixes(argument[3])
            whole = _is_literal(argument[3])
            open_ = {prefix + each for prefix in open_ for each in inner}
            if not whole:
                return done | open_
        elif kind is op.BRANCH:
            each = [(_prefixes(branch), _is_literal(branch)) for branch in argument[1]]
            done |= {prefix + found for prefix in open_ for some, whole in each if not whole for found in some}
            open_ = {prefix + found for prefix in open_ for some, whole in each if whole for found in some}
            if not open_:
                return done
        elif kind is op.IN and all(one is op.LITERAL for one, _ in argument):
            open_ = {prefix + chr(code) for prefix in open_ for _, code in argument}
        else:
            break
    return done | open_


def _is_literal(parsed: Any) -> bool:
    """Whether a pattern finds nothing but some texts."""
    return all(
        kind is op.LITERAL
        or (kind is op.IN and all(one is op.LITERAL for one, _ in argument))
        or (kind is op.SUBPATTERN and _is_literal(argument[3]))
        or (kind is op.BRANCH and all(_is_literal(branch) for branch in argument[1]))
        for kind, argument in parsed
    )


def _bounded(pattern: str) -> str:
    """A pattern that scans a bounded number of characters from each position, and has no groups."""
    pattern = re.sub(r"\(\?P<\w+>", "(?:", pattern)
    pattern = re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)
    return re.sub(r",(\d{3,4})\}", lambda found: f",{min(int(found[1]), _LONGEST)}}}", pattern)


def _module(version: str, prefixes: list[str], patterns: dict[str, str]) -> str:
    lines = [
        '"""Forms by which credentials of known services are told: written by scripts/known_forms.py, not by hand.',
        "",
        f"From the rules of CredSweeper {version}, Copyright (c) 2021 SAMSUNG, under the MIT licence, whose text is in",
        "LICENSES/CredSweeper.txt.",
        '"""',
        "",
        f'SOURCE = "CredSweeper {version}"',
        "",
        "PREFIXES = (",
        *(f"    {_quoted(prefix)}," for prefix in prefixes),
        ")",
        '"""What such a credential begins with."""',
        "",
        "PATTERNS = {",
        *(f"    {_quoted(name)}: r{_quoted_raw(pattern)},  # noqa: E501" for name, pattern in sorted(patterns.items())),
        "}",
        '"""Forms of those that begin with nothing in particular."""',
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted_raw(text: str) -> str:
    if '"' in text:
        raise ValueError(f"a quote in {text}")
    return f'"{text}"'


if __name__ == "__main__":
    main(sys.argv[1])
