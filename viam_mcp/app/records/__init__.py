"""Read-only views over wire messages, and the conversions between wire types and Python types."""
