"""What carries a call: connections, deadlines, retries, and the errors that they end with."""
