"""Both packages define `viam.app.v1`; one process takes both."""

from __future__ import annotations

import subprocess
import sys

import pytest

THEIRS, OURS = "import viam.proto.app", "import viam_mcp.app, viam_mcp.proto.app"
CHECK = """
theirs, ours = viam.proto.app.Robot(id="x", name="y"), viam_mcp.proto.app.Robot(id="x", name="y")
assert theirs.SerializeToString() == ours.SerializeToString()
assert type(theirs) is not type(ours)
"""


@pytest.mark.parametrize("first, second", [(THEIRS, OURS), (OURS, THEIRS)], ids=["theirs first", "ours first"])
def test_the_official_sdk_and_this_package_are_imported_in_either_order(first: str, second: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", f"{first}\n{second}\n{CHECK}"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout + done.stderr == b""


@pytest.mark.parametrize("module", ["viam_mcp.app", "viam_mcp.server", "viam_mcp.cli", "viam_mcp.sandbox"])
def test_this_package_does_not_need_the_official_sdk(module: str) -> None:
    check = f"import sys; import {module}; assert not any(n.split('.')[0] == 'viam' for n in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
