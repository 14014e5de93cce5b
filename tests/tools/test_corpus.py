"""How many planted credentials come out, and how many harmless values are hidden."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.tools.corpus.harmless import configurations, leaves, log_lines
from tests.tools.corpus.planted import planted
from viam_mcp.tools import redacted
from viam_mcp.tools.redaction._secrets import without_secrets

MOST_OUT = 0.03
MOST_HIDDEN = 0.001


def shown(value: Any) -> str:
    """A value as it comes out."""
    return without_secrets(value) if isinstance(value, str) else json.dumps(redacted(value), ensure_ascii=False)


def test_hardly_any_planted_credential_comes_out() -> None:
    corpus = planted()
    assert len(corpus) > 700
    out = [each for each in corpus if each.secret in json.loads(json.dumps(shown(each.value))).replace('\\"', '"')]
    kinds = Counter(each.kind for each in out)
    assert len(out) <= MOST_OUT * len(corpus), kinds
    # No way to write a credential is missed as such.
    total = Counter(each.kind for each in corpus)
    assert [kind for kind, number in kinds.items() if number == total[kind]] == []


def test_what_is_planted_is_there_before_it_is_hidden() -> None:
    for each in planted():
        assert len(each.secret) >= 4
        assert each.secret in (each.value if isinstance(each.value, str) else _unquoted(each.value)), each


def _unquoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def test_hardly_any_harmless_value_is_hidden() -> None:
    hidden, number = [], 0
    for config in configurations():
        safe = dict(leaves(redacted(config)))
        for path, value in leaves(config):
            number += 1
            if safe.get(path, "gone") != value:
                hidden.append((path, value))
    assert number > 5_000
    assert len(hidden) <= MOST_HIDDEN * number, Counter(str(path[-1]) for path, _ in hidden)


def test_hardly_any_harmless_log_line_is_changed() -> None:
    lines = [*log_lines()]
    changed = [(line, without_secrets(line)) for line in lines if without_secrets(line) != line]
    assert len(changed) <= MOST_HIDDEN * len(lines), changed[:5]


@pytest.mark.parametrize("each", planted()[::7], ids=lambda each: each.kind)
def test_redacting_once_more_changes_nothing(each: Any) -> None:
    once = redacted(each.value)
    assert redacted(once) == once
