"""Commands in a pipe whose reader has gone, as in `viam-mcp tools | head -1`."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.e2e.processes import COMMAND


@pytest.mark.parametrize("words", [("tools",), ("policy", "init"), ("doctor", "--sandbox")])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(env: dict[str, str], words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as pipe:
        done = subprocess.run([*COMMAND, *words], stdout=pipe, stderr=subprocess.PIPE, env=env, check=False)
    assert (done.returncode, done.stderr) == (141, b"")
