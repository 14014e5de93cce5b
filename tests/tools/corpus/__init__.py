"""Configurations, commands and log lines with credentials planted in them, and others without any.

Both are made by code from seeds: what is measured are kinds of credentials and kinds of values, not single ones.
"""
