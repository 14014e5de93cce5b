"""How a configuration changes, by item and attribute."""
