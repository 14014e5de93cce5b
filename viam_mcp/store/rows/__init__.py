"""The rows of a store other than the audit: operations, runs, budgets, delivered credentials."""
