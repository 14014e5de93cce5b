"""The sandbox's database: its schema and its transactions."""
