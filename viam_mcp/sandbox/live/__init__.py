"""Live log entries: what online machines log, and how it reaches the calls that tail it."""
