"""The tools: one module for each toolset, one class for each tool."""
