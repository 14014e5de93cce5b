"""Credentials in commands: `curl -u name:…`, `mysql -p…`, `sshpass -p …` and the options of other programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._names import LONGEST_NAME, Kind, kind_of
from viam_mcp.tools.redaction._values import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

_PROGRAMS = {
    "mysql": "p", "mysqldump": "p", "mysqladmin": "p", "mariadb": "p", "sshpass": "p", "7z": "p", "7za": "p",
    "unrar": "p",
    "redis-cli": "a", "ldapsearch": "w", "ldapmodify": "w", "mosquitto_pub": "P", "mosquitto_sub": "P", "ipmitool": "P",
    "snmpwalk": "cAX", "snmpget": "cAX", "snmpset": "cAX", "curl": "uU", "smbclient": "U", "zip": "P",
    "unzip": "P", "mongo": "p", "mongosh": "p", "rabbitmqadmin": "p", "sqlcmd": "P", "lftp": "u", "http": "a",
     "docker login": "p", "podman login": "p", "az login": "p",
}  # fmt: skip
_PROGRAM = re.compile(
    rf"(?<![\w-])(?:{'|'.join(re.escape(name) for name in sorted(_PROGRAMS, key=len, reverse=True))})"
    r"(?=\s)"
)
_COMMAND_END = re.compile(r"[\n|;]|&&|\Z")
_OPTION = re.compile(r"(?<=\s)-(?P<letter>[A-Za-z])(?:\s{1,3}|=)?(?P<quote>[\"'])?(?P<it>[^\s\"']+)")
_USER_OPTION = re.compile(
    r"(?<!\S)(?:-u|-U|--user|--proxy-user)[\s=]{0,3}[\"']?(?P<user>[^\s:\"']{1,64}):(?P<it>[^\s\"']+)"
)
_ATTACHED = re.compile(
    r"(?<!\S)-p(?=[^\s=:/]*[A-Z0-9!@#$%^&*])(?=[^\s=:/]*[A-Za-z!@#$%^&*])(?P<it>[^\s=:/\"']{5,64})(?!\S)"
)
_SWITCH = re.compile(r"--?(?:askpass$|(?:ask|no|show|skip|disable|enable|without|print|prompt)-)")
_PASSIN = re.compile(r"(?<=\bpass:)(?P<it>[^\s\"']{3,})")
_SMB = re.compile(r"(?<=-U)\s{0,3}[^\s%]{1,64}%(?P<it>\S{1,100})")


def option_span(option: str, argument: str, program: str) -> Span | None:
    """Find the credential in the argument of a command line that follows a one-letter option, or `--user`.

    Args:
        option: The argument before it, such as `-u`.
        argument: The argument.
        program: The command, if that is known.
    """
    if found := _USER_OPTION.match(f"{option} {argument}"):
        shift = len(option) + 1
        return (found.start("it") - shift, found.end("it") - shift) if _is_password(found) else None
    words = program.rsplit("/", 1)[-1].split()
    letters = _PROGRAMS.get(" ".join(words[:2]), _PROGRAMS.get(words[0], "") if words else "")
    if len(option) == len("-p") and option[0] == "-" and option[1] in letters and option[1] not in "uU":
        return 0, len(argument)
    return None


def is_switch(option: str) -> bool:
    """Tell whether an option says what to do about credentials, so that what follows it is something else."""
    return _SWITCH.match(option) is not None


def names_next(argument: str) -> Kind:
    """Return what the argument of a command line says of the next one, as in `--token abc`."""
    if argument.startswith("-") and "=" not in argument and len(argument) <= LONGEST_NAME:
        return Kind.NOTHING if is_switch(argument) else kind_of(argument)
    return Kind.NOTHING


def command_spans(text: str) -> Iterator[Span]:
    """Find the credentials that options of well-known programs have as their arguments."""
    if ":" in text or "%" in text:
        yield from _users(text)
    yield from (
        found.span("it") for found in _ATTACHED.finditer(text) if not is_name(found["it"]) or _mixed(found["it"])
    )
    end = 0
    for program in _PROGRAM.finditer(text):
        if program.start() < end:
            continue
        found_end = _COMMAND_END.search(text, program.end())
        end = found_end.start() if found_end else len(text)
        for option in _OPTION.finditer(text, program.end(), end):
            if option["letter"] in _PROGRAMS[program[0]].replace("u", "").replace("U", "") and option["it"][0] != "-":
                yield option.span("it")


def _mixed(text: str) -> bool:
    return any(character.isdigit() for character in text) and any(character.isupper() for character in text)


def _is_password(found: re.Match[str]) -> bool:
    """Tell whether what follows `-u name:` is a password, and not the group of a user."""
    user, password = found["user"], found["it"]
    return not (password == user or password.isdigit() or "/" in password or password.startswith("["))


def _users(text: str) -> Iterator[Span]:
    yield from (found.span("it") for found in _USER_OPTION.finditer(text) if _is_password(found))
    for pattern in (_PASSIN, _SMB):
        yield from (found.span("it") for found in pattern.finditer(text))
