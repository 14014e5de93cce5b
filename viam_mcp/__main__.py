"""`python -m viam_mcp` is the command `viam-mcp`."""

import sys

from viam_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
