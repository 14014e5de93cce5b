"""Authentication of callers over HTTP."""
