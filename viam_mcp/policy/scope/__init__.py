"""The scope: which organizations and locations a server may touch and show, whatever its key may do."""
