"""What stops a server from being started over HTTP."""

from __future__ import annotations


class HttpError(Exception):
    """An address, a certificate, a token file or an authorization server cannot be used; the message says why."""
