"""How previews write names and values."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pace import is_linear
from viam_mcp.tools.previews._values import folded, key, legible, literal, name

_NAMES = st.lists(
    st.builds(
        "{}{}{}".format, st.sampled_from(["arm-", "cam", "a1b-", ""]), st.integers(0, 12), st.sampled_from(["", "x"])
    )
    | st.builds("{}{:02}".format, st.sampled_from(["arm-", "cam"]), st.integers(0, 12)),
    unique=True,
    max_size=30,
)


def unfolded(text: str) -> list[str]:
    """All names that a folded list stands for."""
    text = re.sub(r" \([\d,]+\)\Z", "", text)
    found = []
    for piece in text.split(", ") if text else []:
        first, _, last = piece.partition(" … ")
        if not last:
            found.append(first)
            continue
        numbers = [re.search(r"(\d+)(\D*)\Z", end) for end in (first, last)]
        assert numbers[0]
        assert numbers[1]
        width = len(numbers[0][1]) if numbers[0][1].startswith("0") and numbers[0][1] != "0" else 0
        start, end = (int(number[1]) for number in numbers if number)
        stem = first[: numbers[0].start()]
        found += [f"{stem}{number:0{width}}{numbers[0][2]}" for number in range(start, end + 1)]
    return found


@given(_NAMES)
def test_all_names_can_be_told_from_a_list_that_is_folded(names: list[str]) -> None:
    assert sorted(unfolded(folded(names))) == sorted(names)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([f"arm-{number}" for number in range(11)], "arm-0 … arm-10 (11)"),
        ([f"arm-{number:02}" for number in range(8, 12)], "arm-08 … arm-11 (4)"),
        (["a", "b"], "a, b (2)"),
        (["a"], "a"),
        (["a-1", "a-2"], "a-1, a-2 (2)"),
        (["base", "a-1", "a-2", "a-3", "a-5"], "base, a-1 … a-3, a-5 (5)"),
        (["a-1", "a-1", "a-2", "a-3"], "a-1, a-1, a-2, a-3 (4)"),
        (['"x 1"', '"x 2"', '"x 3"'], '"x 1" … "x 3" (3)'),
    ],
)
def test_numbered_names_in_a_row_are_their_first_and_last(names: list[str], text: str) -> None:
    assert folded(names) == text


@given(st.text(), st.text())
def test_values_that_differ_are_written_differently(one: str, other: str) -> None:
    assert (literal(one) == literal(other)) == (one == other)
    assert (name(one) == name(other)) == (one == other)
    assert (key(one) == key(other)) == (one == other)


@given(st.text())
def test_whatever_is_written_is_on_one_line_and_can_be_seen(text: str) -> None:
    for written in (literal(text), name(text), key(text)):
        assert written.isprintable()
        assert legible(written) == written


@pytest.mark.parametrize(
    "text", ["\u0440\u043e\u0431\u043e\u0442", "カメラ", "Größe", "m²", "5 µm", "λ", "camera-Ünit", "Việt"]
)
def test_what_reads_as_itself_stays(text: str) -> None:
    assert literal(text) == json.dumps(text, ensure_ascii=False)


def test_to_write_a_text_takes_no_longer_than_its_length() -> None:
    assert is_linear(lambda names: folded(names), lambda size: [f"n{number}" for number in range(size)], 40_000)
    assert is_linear(legible, lambda size: "é\u0301" * size, 40_000)
