"""The record of calls: audit, budgets, and delivered credentials."""
