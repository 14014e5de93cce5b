"""The demo fleet, as data, and how its rows are made."""
