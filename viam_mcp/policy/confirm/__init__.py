"""Confirmations: the question, the answer, and the open operations."""
