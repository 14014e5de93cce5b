"""An object that is larger than a result may be gives way in an order that keeps what matters, and says so."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.pace import is_linear
from viam_mcp.tools import fit

texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
objects = st.recursive(
    st.integers() | st.booleans() | texts | texts.map(lambda text: text * 200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, objects, max_size=5), st.integers(1_100, 8_000))
def test_what_comes_out_fits_with_its_warnings(value: dict[str, Any], budget: int) -> None:
    fitted, warnings = fit(value, budget)
    shape = len(to_json({name: {} for name, member in value.items() if isinstance(member, dict)}))
    said = {"warnings": warnings} if warnings else {}  # as the product sends them
    assert len(to_json({**fitted, **said})) <= budget + shape
    assert bool(warnings) is (fitted != value)


@given(st.dictionaries(texts, objects, max_size=5))
def test_what_fits_stays_as_it_is(value: dict[str, Any]) -> None:
    assert fit(value, len(to_json(value))) == (value, [])


def test_long_texts_give_way_first() -> None:
    value = {"part": {"name": "n", "log": "x" * 5_000, "list": [1, 2, 3]}}
    fitted, warnings = fit(value, 3_000)
    assert fitted["part"] == {"name": "n", "log": "x" * 2_000 + "… [3,000 more characters]", "list": [1, 2, 3]}
    assert warnings == ["Texts of over 2,000 characters were shortened to fit."]


def test_then_the_largest_members_are_left_out_by_name() -> None:
    value = {"part": {"id": "i", "robot_config": {"components": list(range(5_000)), "modules": ["m"]}}}
    fitted, warnings = fit(value, 2_000)
    assert fitted == {"part": {"id": "i", "robot_config": {"modules": ["m"]}}}
    (warning,) = warnings
    assert "'part.robot_config.components' (23,891 bytes)" in warning


def test_what_a_thing_is_called_is_left_out_last() -> None:
    value = {"part": {"id": "i" * 400, "name": "n" * 400, "notes": ["x"] * 60, "config": list(range(5_000))}}
    fitted, warnings = fit(value, 1_600)
    assert fitted == {"part": {"id": "i" * 400, "name": "n" * 400}}
    (warning,) = warnings
    assert "'part.config'" in warning
    assert "'part.notes'" in warning


def test_the_members_of_a_result_stay_even_if_nothing_of_them_does() -> None:
    fitted, warnings = fit({"part": {"config": list(range(5_000))}}, 1_024)
    assert fitted == {"part": {}}
    assert warnings


def test_a_great_many_members_are_neither_all_named_nor_slow() -> None:
    def members(size: int) -> dict[str, Any]:
        return {"part": {"config": {f"member-{number}": {"a": {"b": number}} for number in range(size)}}}

    assert is_linear(lambda value: fit(value, 20_000), members, 30_000)
    fitted, warnings = fit(members(30_000), 20_000)
    assert 15_000 < len(to_json(fitted)) <= 20_000
    (warning,) = warnings
    assert len(warning) < 500
    assert "more." in warning
