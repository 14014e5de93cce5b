"""Which share of a configuration an update would remove."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given

from tests.pace import is_linear
from tests.tools.configs import stored
from tests.tools.corpus.harmless import component, configuration
from tests.tools.test_round_trips import configs, read
from viam_mcp.tools import removed_share

FULL = {"components": [{"name": f"c{number}", "attributes": {"speed": number}} for number in range(10)], "note": "n"}


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [
        (FULL, 0, 0),
        ({**FULL, "components": FULL["components"][::-1]}, 0, 0),
        ({**FULL, "added": [1, 2, 3]}, 0, 0),
        ({**FULL, "note": "another one"}, 0, 0),
        ({**FULL, "components": "[left out: 123 bytes]"}, 0, 0),
        ({"[left out]": "2 members, 300 bytes"}, 0, 0),
        ({}, 1, 1),
        ({"note": "n"}, 0.9, 1),
        ({**FULL, "components": []}, 0.9, 1),
        ({**FULL, "components": {}}, 0.9, 1),
        ({**FULL, "components": FULL["components"][:5]}, 0.45, 0.55),
        ({**FULL, "components": FULL["components"][5:]}, 0.45, 0.55),
        ({**FULL, "components": [{"name": f"c{number}"} for number in range(10)]}, 0.3, 0.8),
    ],
)
def test_what_is_gone_counts_and_what_is_changed_moved_or_marked_does_not(
    sent: dict[str, Any], low: float, high: float
) -> None:
    assert low <= removed_share(FULL, sent) <= high


def test_nothing_cannot_be_removed() -> None:
    assert removed_share({}, {}) == 0
    assert removed_share({}, {"a": 1}) == 0


@given(configs)
def test_what_was_read_removes_nothing(config: dict[str, Any]) -> None:
    shown = stored(config).shown
    assert removed_share(shown, shown) == 0
    assert removed_share(shown, read(config, 700)) == pytest.approx(0)


def test_a_long_configuration_takes_no_longer_than_its_length() -> None:
    def data(size: int) -> Any:
        rng = random.Random(1)
        return {**configuration(rng), "components": [component(rng) for _ in range(size)]}

    assert is_linear(
        lambda config: removed_share(config, {**config, "components": config["components"][::2]}), data, 400
    )
