"""Access tokens: where they come from, and when they are renewed."""
