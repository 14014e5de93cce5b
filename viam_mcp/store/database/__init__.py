"""The databases: how to reach one, its transactions, its schema. Nothing here knows what the rows mean."""
