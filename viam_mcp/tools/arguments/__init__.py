"""The types of arguments that tools share."""
