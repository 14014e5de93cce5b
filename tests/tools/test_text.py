"""Strings from the fleet: what can act on a terminal or hide from a reader goes, the words stay."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pace import is_linear
from viam_mcp.sandbox.demo.fleet import HOSTILE_MESSAGES
from viam_mcp.tools.redaction._text import cleaned, is_clean, json_text, sanitize, shorten, visible

# Unicode's format characters that are seen: signs that stand before or around numbers in Arabic and other scripts.
SEEN = {*"\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"}
GONE = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in SEEN | {"\t", "\n"}
]
SELECTORS = [chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))]


def test_nothing_that_is_invisible_or_controls_stays() -> None:
    assert sanitize("".join(f"{character}." for character in [*GONE, *SELECTORS]).replace("\x1b.", "")).strip(".") == ""


def test_a_blank_that_is_no_space_goes_and_signs_that_are_seen_stay() -> None:
    seen = "".join(sorted(SEEN))
    assert sanitize(f"a\u2800b{seen}\u2801") == f"ab{seen}\u2801"


@pytest.mark.parametrize("name", [*HOSTILE_MESSAGES])
def test_hostile_messages_of_the_demo_fleet_are_harmless(name: str) -> None:
    harmless = sanitize(HOSTILE_MESSAGES[name])
    assert not {*harmless} & {*GONE, *SELECTORS}
    assert sanitize(harmless) == harmless


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1;2|data\x1b\\text", "text"),
        ("\x9b2Jtext", "text"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1b(0text", "text"),
        ("\x1bctext", "text"),
        ("\x1b\x1b[31m[31mtext", "[31mtext"),
        ("\x1b]never ended", "never ended"),
        ("a\r\nb\rc", "a\nbc"),
        ("tab\tand\nnewline", "tab\tand\nnewline"),
        ("naïve 日本語 🤖 Ω", "naïve 日本語 🤖 Ω"),
        ("de\u200blete\ufeff", "delete"),
        ("\u202egpj.exe", "gpj.exe"),
    ],
)
def test_escapes_go_as_a_whole_and_words_stay(hostile: str, harmless: str) -> None:
    assert sanitize(hostile) == harmless


@given(st.text(st.sampled_from("\x1b[]();?0159mJHP\x07\\\x9b\x9d\x9c\u202e\u200b ab\r\n")))
def test_no_way_to_write_an_escape_survives(text: str) -> None:
    harmless = sanitize(text)
    assert not {*harmless} & {*GONE}
    assert sanitize(harmless) == harmless


@given(st.text())
def test_what_was_taken_out_was_all_that_was_taken_out(text: str) -> None:
    if "\x1b" not in text and not {*text} & {*GONE, *SELECTORS} and sanitize(text) != text:
        taken = {*text} - {*sanitize(text)}
        # Fillers and blanks that fonts draw as nothing, whatever Unicode calls them.
        assert {unicodedata.category(character) for character in taken} <= {"Lo", "Mn", "Cn", "So"}


@pytest.mark.parametrize("introducer", ["\x90", "\x1b]", "\x1b[0", "\x9b0", "\x1b ", "\x1bP\x1b"])
def test_a_long_text_of_broken_escapes_takes_no_longer_than_its_length(introducer: str) -> None:
    assert is_linear(sanitize, lambda size: introducer * size, 50_000)


@given(st.text())
def test_visible_text_shows_what_sanitized_text_leaves_out(text: str) -> None:
    shown = visible(text)
    assert sanitize(shown) == shown
    assert "\n" in shown or shown.isprintable()


def test_a_shortened_text_says_how_much_is_missing() -> None:
    assert shorten("a" * 1_500, 10) == "a" * 10 + "… [1,490 more characters]"
    assert shorten("a" * 10, 10) == "a" * 10


STACK = "\u0301\u0300\u0302\u0303\u0304" * 8
ENCLOSING = "\u0488\u0489" * 10


@pytest.mark.parametrize("marks", [STACK, ENCLOSING, STACK + ENCLOSING])
def test_stacked_marks_cover_no_other_line(marks: str) -> None:
    text = f"Allow a{marks}b?"
    assert sanitize(text) == f"Allow a{marks[:4]}b?"
    assert visible(text).startswith(f"Allow a{marks[:4]}\\u")
    assert json_text([text]).startswith(f'["Allow a{marks[:4]}\\u')
    assert json.loads(json_text([text])) == [text]


@pytest.mark.parametrize(
    "text", ["Tiếng Việt", "Tie\u0302\u0301ng Vie\u0323\u0302t", "שָׁלוֹם", "น้ำ", "नमस्ते", "བསྒྲུབས", "日本語" * 9]
)
def test_writing_of_the_world_stays(text: str) -> None:
    assert sanitize(text) == text


values = st.recursive(
    st.none() | st.integers() | st.text() | st.text(st.sampled_from([*GONE, *SELECTORS, "a", "\u0301", '"', "\\"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(values, st.sampled_from([None, 2]))
def test_json_for_display_says_the_same_and_does_not_act(value: Any, indent: int | None) -> None:
    text = json_text(value, indent)
    assert json.loads(text) == value
    assert sanitize(text) == text


@given(st.text() | st.text(st.sampled_from([*GONE, "a", "b"])))
def test_what_is_left_of_a_cleaned_text_is_found_in_it(text: str) -> None:
    seen, places = cleaned(text)
    assert seen == "".join(text[place] for place in places[:-1])
    assert places[-1] == len(text)
    assert is_clean(text) is (sanitize(text) == text and text.isprintable())
