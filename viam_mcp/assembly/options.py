"""The options of the command: their flags, their environment variables, and which values they take.

Every option is declared once. Its flag, its variable and its field in `Settings` have the same name.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEFAULT_APP_URL = "https://app.viam.com"


class SettingsError(Exception):
    """A flag or an environment variable cannot be used; the message says which, why, and what to try."""


class Option(NamedTuple):
    """An option of the command.

    Attributes:
        name: Its name, which is a field of `Settings`.
        help: What it is for.
        parse: Makes its value of a text; raises ValueError with what was expected. None for a switch.
        metavar: The word for its value in the help.
    """

    name: str
    help: str
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None

    @property
    def flag(self) -> str:
        """Its flag, such as `--app-url`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable, such as `VIAM_MCP_APP_URL`."""
        return f"VIAM_MCP_{self.name.upper()}"


class Auth(NamedTuple):
    """How callers over HTTP authenticate.

    Attributes:
        kind: `none`, `tokens` or `oauth`.
        tokens: The token file, for `tokens`.
    """

    kind: str
    tokens: Path | None = None


NO_AUTH = Auth("none")
"""Callers do not authenticate: every program that reaches the server may call."""


def names(text: str) -> tuple[str, ...]:
    """Return the names in a list such as `a,b`.

    Raises:
        ValueError: A name is missing, for example because a variable of the shell was not set.
    """
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise ValueError("expected names separated by commas")
    return found


def _bytes(text: str) -> int:
    return int(_number(text, int, 1_024, 64 * 1_048_576, "a whole number of bytes from 1,024 to 67,108,864"))


def _port(text: str) -> int:
    return int(_number(text, int, 0, 65_535, "a port from 0 to 65535"))


def _held(text: str) -> int:
    return int(_number(text, int, 100, 1_000_000, "a whole number from 100 to 1,000,000"))


def _memory(text: str) -> int:
    return int(_number(text, int, 1_048_576, 2**40, "a whole number of bytes from 1,048,576 to 1,099,511,627,776"))


def _pause(text: str) -> float:
    return _number(text, float, 0, 3_600, "a number of seconds from 0 to 3,600")


def _count(text: str) -> int:
    return int(_number(text, int, 1, 10_000, "a whole number from 1 to 10,000"))


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def _auth(text: str) -> Auth:
    kind, _, path = text.partition(":")
    if text in ("none", "oauth"):
        return Auth(kind)
    if kind == "tokens" and path:
        return Auth(kind, Path(path))
    raise ValueError("expected none, tokens:FILE or oauth")


def _seconds(text: str) -> float:
    return float(_number(text, float, 0.1, 3_600, "a number of seconds from 0.1 to 3,600"))


def _number(text: str, kind: type[int] | type[float], low: float, high: float, expected: str) -> float:
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"expected {expected}") from None
    if not low <= number <= high:
        raise ValueError(f"expected {expected}")
    return number


_FLEET = (
    Option("app_url", f"where the Viam app is; default {DEFAULT_APP_URL}", str, "URL"),
    Option("sandbox", "use an embedded demonstration fleet; needs no account"),
    Option(
        "credentials",
        "which key calls are made with: env, the one in the environment; viam-cli, the login of Viam's command line; "
        "over HTTP also tokens, the key that the token file names for each caller, or headers, the key that each "
        "request brings; default env",
        _one_of("env", "viam-cli", "tokens", "headers"),
        "WHICH",
    ),
    Option("timeout", "how long a call to the Viam app may take; default 20", _seconds, "SECONDS"),
)
_COMMON = (Option("debug", "show tracebacks and log more"),)
_CHOICE = (
    Option("read_only", "offer only tools that change nothing"),
    Option("toolsets", "only these toolsets; core is a preset of at most 40 tools, all has every one", names, "A,B"),
    Option("tools", "offer these tools besides the toolsets, or only these", names, "X,Y"),
    Option("exclude_tools", "do not offer these tools", names, "Z"),
)
_CALLS = (
    Option(
        "policy", "which calls are allowed, confirmed or denied: a TOML file, see viam-mcp policy init", Path, "FILE"
    ),
    Option(
        "store",
        "where operations, budgets and the audit are kept: a file, or postgresql://USER@HOST/DATABASE for several "
        "computers; default state.db in the state folder",
        str,
        "PLACE",
    ),
    Option("audit_log", "a file, or - for standard error, that gets a live copy of the audit", str, "FILE"),
    Option(
        "audit_checkpoints",
        "a file, - for standard error, or a URL that gets signed checkpoints of the audit; default checkpoints.jsonl "
        "beside a store in a file, - otherwise",
        str,
        "WHERE",
    ),
    Option("dry_run", "answer every call that would change something with its preview, and change nothing"),
    Option("files_dir", "the one folder that tools may read files from and write to", Path, "DIR"),
    Option("max_result_bytes", "how large a result may be; default 65536", _bytes, "N"),
)
_HTTP = (
    Option(
        "transport",
        "stdio, for a client that starts this server, or http; default stdio",
        _one_of("stdio", "http"),
        "KIND",
    ),
    Option("host", "the address to listen on; default 127.0.0.1, which only this computer can reach", str, "H"),
    Option("port", "the port to listen on; default 8000, 0 for a free one", _port, "P"),
    Option("allowed_hosts", "the names that clients call this server by, besides this computer's own", names, "A,B"),
    Option("allowed_origins", "the origins of web pages that may call", names, "A,B"),
    Option("auth", "how callers authenticate: none, tokens:FILE or oauth; default none", _auth, "HOW"),
    Option("oauth_issuer", "the authorization server", str, "URL"),
    Option("oauth_audience", "the URL of this server's /mcp, as access tokens name it", str, "URL"),
    Option("oauth_jwks_url", "where the authorization server's keys are", str, "URL"),
    Option("required_scopes", "the scopes that an access token must have; default viam:read", names, "A,B"),
    Option("tls_cert", "the certificate to serve with, and those between it and a root, in PEM", Path, "FILE"),
    Option("tls_key", "the certificate's private key, in PEM", Path, "FILE"),
    Option("max_request_bytes", "how large a request may be; default 4194304", _bytes, "N"),
    Option("workers", "how many processes serve; default 1", _count, "N"),
    Option("max_calls", "how many calls a process runs at once; default 64", _count, "N"),
    Option("max_calls_per_caller", "how many of them for one caller; default 16", _count, "N"),
    Option("max_waiting", "how many calls may wait until they can run; default 256", _count, "N"),
    Option("log_format", "text, or json with one object a line; default text", _one_of("text", "json"), "FORM"),
)
_LOGS = (
    Option("log_entries", "how many entries of a live log are kept for its readers; default 10000", _held, "N"),
    Option("log_bytes", "how many bytes of entries are kept of each; default 16777216", _bytes, "N"),
    Option("log_memory", "how many bytes all live logs take together; default 268435456", _memory, "N"),
    Option("log_lookback", "how late an entry may come around a break; default 900", _pause, "SECONDS"),
    Option("log_linger", "how long a log without subscribers is still followed; default 30", _pause, "SECONDS"),
    Option("max_tails", "how many logs are followed at once; default 64", _count, "N"),
    Option(
        "notify_interval", "the least time between two notifications about one log; default 0.25", _pause, "SECONDS"
    ),
)
OPTIONS: dict[str, tuple[Option, ...]] = {
    "common": _COMMON,
    "fleet": _FLEET,
    "tools": _CHOICE,
    "calls": _CALLS,
    "http": _HTTP,
    "logs": _LOGS,
}
"""The options that are settings, by the groups that a command takes whole."""


TOKEN_OPTIONS = (
    Option("file", "the token file; default in the state folder", Path, "FILE"),
    Option("scopes", "viam:read, viam:write, viam:destructive; default all", names, "A,B"),
    Option("toolsets", "only these toolsets; default all", names, "A,B"),
    Option("policy", "the policy for its calls, in place of the server's", Path, "FILE"),
    Option("api_key_id", "the id of the API key that its calls are made with, and ...", str, "ID"),
    Option("api_key_file", "... the file that holds the key, or ...", Path, "FILE"),
    Option("api_key_env", "... the server's variable that does", str, "NAME"),
)
"""The options of `viam-mcp token new`. They are no settings."""


def add_options(parser: argparse.ArgumentParser, *groups: str) -> None:
    """Give a command the flags of some groups of options.

    A switch that is not given is absent, so that a command and its subcommands can both have it.
    """
    for group in groups:
        add_flags(parser.add_argument_group(group), OPTIONS[group])


def add_flags(parser: argparse._ActionsContainer, options: Iterable[Option]) -> None:
    """Give a command, or a group of its flags, the flags of some options."""
    for option in options:
        if option.parse is None:
            parser.add_argument(
                option.flag, dest=option.name, help=option.help, action="store_true", default=argparse.SUPPRESS
            )
        else:
            parser.add_argument(option.flag, dest=option.name, help=option.help, metavar=option.metavar)


def values_of(options: Iterable[Option], flags: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of those options that were given, by name.

    Args:
        options: The options.
        flags: The values from the command line by option name; None or absent for an option without one.
        environment: The variables of the process.

    Raises:
        SettingsError: A value cannot be used.
    """
    values: dict[str, Any] = {}
    for option in options:
        source, text = option.flag, flags.get(option.name)
        if text is None:
            source, text = option.variable, environment.get(option.variable)
        if text is not None:
            values[option.name] = _parsed(option, source, text)
    return values


def _parsed(option: Option, source: str, value: Any) -> Any:
    if option.parse is None:
        return value if isinstance(value, bool) else _switch(source, value)
    if not value.strip():
        raise SettingsError(f"{source} is empty: give {option.metavar}, or leave it out.")
    try:
        return option.parse(value)
    except ValueError as error:
        raise SettingsError(f"{source}: {error}, got {value!r}.") from None


def _switch(source: str, text: str) -> bool:
    states = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    state = states.get(text.strip().lower() or "0")
    if state is None:
        raise SettingsError(f"{source}: expected true or false, got {text!r}.")
    return state
