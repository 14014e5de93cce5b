"""How callers over HTTP authenticate."""
