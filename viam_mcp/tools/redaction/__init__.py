"""Credentials and unsafe characters in values from the fleet: found, hidden, and restored."""
