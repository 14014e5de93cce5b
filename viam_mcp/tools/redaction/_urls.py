"""Credentials in URLs, read as a consumer reads them: `/`, `?`, `#` and `\\` end the authority (RFC 3986, WHATWG).

A password may hold these characters all the same, where nobody has encoded them: no consumer takes what is before
them for a host then, because there is no port. Of such a URL only what follows the colon is a credential, so that what
some lenient reader takes for the host stays to be seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._forms import has_long_run
from viam_mcp.tools.redaction._marks import NOT_SHOWN
from viam_mcp.tools.redaction._values import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

# A scheme has no more than 20 characters, so that a long text is not searched once for each of its words.
_SCHEME = re.compile(r"(?i)(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,19}://")
_AUTHORITY = re.compile(r"[^\s/?#\\<>\"'`|]*+")
_REST = re.compile(r"[^\s<>]{0,400}")
_REST_OF_ALL = re.compile(r"[^\n]{0,400}")
_PORT = re.compile(r"[^@]*:(\d*)")
_HOST = re.compile(r"@(?=\[?[\w.:-]{1,253}\]?(?:[/?#,;)\s]|$))")
_SHORTEST_TOKEN = 12
_MOST_SPACES = 3

_WEBHOOK = re.compile(
    r"(?i)(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/(?:v\d+/)?webhooks"
    r"|webhook\.office\.com/webhookb?2?|hooks\.zapier\.com/hooks|hook\.[a-z0-9.]{0,20}make\.com|api\.telegram\.org(?:/file)?"
    r"|maker\.ifttt\.com/(?:trigger|use)|events\.pagerduty\.com/(?:integration|generic)|outlook\.office\.com/webhook"
    r"|hooks\.chime\.aws/incomingwebhooks|api\.opsgenie\.com/v1/json|ntfy\.sh)/(?P<secret>[^\s\"'<>?#]{3,400})"
)
_HOOK_PATH = re.compile(r"(?i)/(?:incoming-?)?(?:web)?hooks?/(?P<secret>[^\s\"'<>?#]{8,400})")
_SERVICE_PATH = re.compile(r"/services/T[A-Z0-9]{2,20}/B[A-Z0-9]{2,20}/(?P<secret>[A-Za-z0-9]{8,64})")
_AFTER_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}://[^\s/?#\\]*/(?P<secret>[^\s\"'<>]{1,2000})")


def url_spans(text: str) -> Iterator[Span]:
    """Find the credentials in the URLs of a text: user and password, a token before the host, a webhook's path."""
    for found in _SCHEME.finditer(text):
        start = found.end()
        if span := _user_info(text, found.start(), start):
            yield span
    for pattern in (_WEBHOOK, _HOOK_PATH, _SERVICE_PATH):
        yield from (
            found.span("secret")
            for found in pattern.finditer(text)
            if pattern is not _HOOK_PATH or _has_token(found["secret"])
        )


def webhook_span(url: str) -> Span | None:
    """Find what follows the host of a URL that is a webhook by its name."""
    found = _AFTER_HOST.match(url)
    return found.span("secret") if found else None


def _user_info(text: str, begin: int, start: int) -> Span | None:
    authority = _AUTHORITY.match(text, start)
    end = authority.end() if authority else start
    at = text.rfind("@", start, end)
    if at > start:
        user = text[start:at]
        if NOT_SHOWN.fullmatch(user.partition(":")[2]):
            return None
        lone = text[begin : begin + 4].lower() == "http" or (len(user) >= _SHORTEST_TOKEN and not is_name(user))
        return (start, at) if ":" in user or lone else None
    colon = text.find(":", start, end)
    if at == start or colon < 0 or text[colon + 1 : end].isdigit():
        return None
    rest = (_REST_OF_ALL if begin == 0 else _REST).match(text, end)
    hosts = [found.start() for found in _HOST.finditer(text, end, rest.end() if rest else end)]
    if not hosts or text.count(" ", colon, hosts[-1]) > _MOST_SPACES:
        return None
    return colon + 1, hosts[-1]


def _has_token(path: str) -> bool:
    return has_long_run(path) and any(not is_name(step) for step in path.split("/"))
