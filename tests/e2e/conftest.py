from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.prepared import prepared
from tests.e2e.processes import COMMAND, environment, variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    yield
    if prepared.cache_info().currsize:
        prepared().end()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has configured nothing."""
    return environment(tmp_path)


@pytest.fixture(scope="session")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that a sandbox printed, which runs as a process of its own. For tests that only read."""
    with subprocess.Popen(
        [*COMMAND, "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        env=environment(tmp_path_factory.mktemp("sandbox")),
        text=True,
    ) as process:
        assert process.stdout
        yield variables("".join(process.stdout.readline() for _ in range(3)))
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture
def fleet_env(env: dict[str, str], printed: dict[str, str]) -> dict[str, str]:
    """The environment of a user who has evaluated what `viam-mcp sandbox` prints."""
    return {**env, **printed}
