"""`viam-mcp demo`: the story is told to its end, and nothing is left of it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.e2e.processes import COMMAND, environment


def running_with(text: str) -> list[str]:
    """The commands of the processes whose environment has this text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
    return found


def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home, scratch, work = (tmp_path / name for name in ("home", "scratch", "work"))
    for folder in (home, scratch, work):
        folder.mkdir()
    # What would reach a real fleet is not for the demo.
    real = {"VIAM_API_KEY": "a-key-that-nobody-may-see", "VIAM_MCP_READ_ONLY": "1"}
    told = subprocess.run(
        [*COMMAND, "demo"],
        env=environment(home, TMPDIR=str(scratch), **real),
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    steps = re.split(r"\n(?=\d\. )", told.stdout)
    assert [step[:2] for step in steps[1:]] == [f"{number}." for number in range(1, 8)]
    _, fleet, server, machines, offline, watch, delete, record = steps
    assert "http://127.0.0.1:" in fleet
    assert "speaks MCP 2026-07-28" in server
    assert re.search(r"^ +rental-rover +Test Lab +offline", machines, re.MULTILINE)
    assert len(re.findall(r"  (online|offline|awaiting_setup)  ", machines)) == 12
    assert "picker-03 was last seen" in offline
    assert "battery" in offline
    assert "hauler-02 was last seen" in offline
    assert "module exited" in offline
    assert re.search(r"^   \d{4}-\d\d-\d\dT\S+  (debug|info|warn|error) ", watch, re.MULTILINE)
    assert "machine 'rental-rover'" in delete
    assert delete.index("the person says no") < delete.index("is still there") < delete.index("→ Deleted machine")
    lines = [json.loads(line) for line in re.findall(r"^ +(\{.*\})$", record, re.MULTILINE)]
    assert [line["outcome"] for line in lines] == ["asked", "declined", "asked", "started", "done"]
    assert "a-key-that-nobody-may-see" not in told.stdout
    assert [*scratch.iterdir(), *work.iterdir(), *home.rglob("*")] == []
    assert running_with(str(tmp_path)) == []
