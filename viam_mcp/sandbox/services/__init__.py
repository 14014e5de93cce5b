"""The sandbox's rpcs, one module for each subject of the API."""
