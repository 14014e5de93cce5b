"""MCP prompts: their texts as data, and how they are rendered."""
