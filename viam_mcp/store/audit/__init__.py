"""The audit: lines that are chained by a keyed hash, and everything that is done with them."""
