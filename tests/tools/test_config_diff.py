"""What the lines about an edit of a configuration show, and what they never hide or reveal."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from viam_mcp.tools._diff import config_changes
from viam_mcp.tools._previews import MOST_CHARACTERS, MOST_LINES, bounded

# A busy computer is no failure.
unhurried = settings(deadline=None)

SAME = ["Configuration: stays the same."]

_KEYS = st.sampled_from(["name", "secret", "WMS_TOKEN", "url", "keys", "payload", "a\u200b", "x"])
_SECRETS = st.sampled_from(["s3cr3t-one", "s3cr3t-two"])
_TEXTS = st.one_of(
    st.text(max_size=5), st.sampled_from(["[redacted]", "[redacted 1]"]), _SECRETS.map("rtsp://user:{}@host/1".format)
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), _TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_CONFIGS = st.dictionaries(_KEYS, _VALUES, max_size=4)


@unhurried
@given(_CONFIGS, _CONFIGS)
def test_only_equal_configurations_stay_the_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    equal = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert (config_changes(old, new) == SAME) == equal


@unhurried
@given(st.dictionaries(_KEYS, _SECRETS), st.dictionaries(_KEYS, _SECRETS))
def test_a_line_of_the_diff_stands_for_every_change_and_no_secret_is_in_it(
    old: dict[str, str], new: dict[str, str]
) -> None:
    secret = {"secret", "WMS_TOKEN", "keys", "payload"}
    old, new = ({key: value for key, value in config.items() if key in secret} for config in (old, new))
    lines = config_changes(old, new)
    assert "s3cr3t" not in "\n".join(lines)
    for key in secret:
        expected = None
        if old.get(key) != new.get(key):
            expected = "changes" if key in old and key in new else "is added" if key in new else "is removed"
        said = [line for line in lines if line.startswith(f"A credential under '{key}' ")]
        assert said == ([] if expected is None else [f"A credential under '{key}' {expected}."])


def test_two_credentials_that_swap_places_are_seen() -> None:
    lines = config_changes({"a_secret": "one", "b_secret": "two"}, {"a_secret": "two", "b_secret": "one"})
    assert '-  "a_secret": "[redacted 1]",' in lines
    assert '+  "a_secret": "[redacted 2]",' in lines


def test_a_password_in_a_url_is_hidden_and_its_change_is_seen() -> None:
    lines = config_changes({"camera": "rtsp://u:one@host/1"}, {"camera": "rtsp://u:two@host/1"})
    assert '-  "camera": "rtsp://[redacted 1]@host/1"' in lines
    assert '+  "camera": "rtsp://[redacted 2]@host/1"' in lines
    assert "A credential under 'camera' changes." in lines


def test_a_change_that_cannot_be_seen_is_escaped() -> None:
    lines = config_changes({"command": "run"}, {"command": "run\u202e\u200b\x7f\U000e0064\ud800"})
    assert r'+  "command": "run\u202e\u200b\x7f\U000e0064\ud800"' in lines


def test_text_that_looks_like_more_of_the_diff_stays_on_its_line() -> None:
    lines = config_changes({}, {"note": "x\n-  removed\u2028+ added\x85"})
    assert len(lines) == len(config_changes({}, {"note": "x"}))


def test_true_is_not_one_and_a_null_is_not_nothing() -> None:
    assert '-  "x": true' in config_changes({"x": True}, {"x": 1})
    assert '-  "x": null' in config_changes({"x": None}, {})
    assert config_changes({"x": 1}, {"x": 1.0}) == SAME


def test_a_long_value_takes_one_line_of_bounded_length() -> None:
    assert max(map(len, config_changes({}, {"blob": "A" * 100_000}))) < 250


@unhurried
@given(st.lists(st.text(alphabet="abc ", max_size=600), max_size=80))
def test_bounded_lines_are_few_and_say_how_many_are_missing(lines: list[str]) -> None:
    kept = bounded(lines)
    assert len(kept) <= MOST_LINES
    assert sum(len(line) + 1 for line in kept) <= MOST_CHARACTERS
    if len(kept) < len(lines) or kept != tuple(lines):
        assert "more" in "\n".join(kept)
