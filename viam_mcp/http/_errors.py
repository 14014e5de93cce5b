"""The error of settings that cannot be served over HTTP."""

from __future__ import annotations


class HttpError(Exception):
    """An address, a certificate, a token file or an authorization server cannot be used. The message says why."""
