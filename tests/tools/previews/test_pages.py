"""The text of a preview: its headline, its size, and its pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.tools.previews._model import (
    HEADLINE_LINES,
    HEADLINE_WIDTH,
    Consequence,
    Preview,
    Risk,
    clipped,
    gravest,
    headline,
    merged,
)
from viam_mcp.tools.previews._pages import Page, StaleCursor, page_of

_LINES = st.lists(st.text(max_size=60) | st.text("xé\n\u200b", min_size=100, max_size=300), min_size=1, max_size=12)
_CONSEQUENCES = st.lists(
    st.builds(
        Consequence, st.sampled_from(Risk), st.text("ABC ", min_size=1, max_size=16), st.text(), st.integers(0, 9)
    ),
    max_size=6,
)


def pages(text: str, size: int) -> list[Page]:
    found = [page_of(text, None, size)]
    while (cursor := found[-1].next) is not None:
        found.append(page_of(text, cursor, size))
    return found


@given(_LINES, _LINES, st.integers(200, 800))
def test_all_pages_together_are_the_whole_of_a_preview(lines: list[str], now: list[str], size: int) -> None:
    text = "\n".join(Preview(tuple(lines), now=tuple(now)).whole)
    found = pages(text, size)
    assert [(one.number, one.of) for one in found] == [(number + 1, len(found)) for number in range(len(found))]
    assert all(len(one.text.encode()) <= size for one in found)
    whole = "\n".join(one.text for one in found).replace("\n(goes on) ", "")
    assert whole == text
    assert (len(found) == 1) == (len(text.encode()) < size)


def test_a_page_of_another_preview_is_not_gone_on_from() -> None:
    one, other = (f"{first}\n{'x' * 500}" for first in ("this", "that"))
    cursor = page_of(one, None, 200).next
    assert page_of(one, cursor, 200).number == 2
    for made_up in (cursor, "2", "2-0000000000000000", "", "x"):
        with pytest.raises(StaleCursor, match="begin again"):
            page_of(other, made_up, 200)


@given(st.text(), st.text(), _CONSEQUENCES, st.text())
def test_a_headline_has_three_lines_of_a_hundred_characters_at_most(
    what: str, where: str, consequences: list[Consequence], otherwise: str
) -> None:
    lines = headline(what, where, consequences, otherwise)
    assert len(lines) <= HEADLINE_LINES
    assert all(len(line) <= HEADLINE_WIDTH for line in lines)
    assert all(line.isprintable() for line in lines)


def test_what_changes_by_itself_is_told_apart() -> None:
    preview = Preview(("It goes.",), headline=("Delete it",), now=("It is online.",))
    assert preview.whole == (
        "Delete it",
        "It goes.",
        "Changes by itself, not part of what you agree to:",
        "  It is online.",
    )


def test_consequences_are_told_with_names_as_far_as_there_is_room_the_gravest_first() -> None:
    found = merged(
        [
            Consequence(Risk.DELETIONS, "deletes", "components a, b", 2),
            Consequence(Risk.CODE, "RUNS CODE", "modules vision", 1),
            Consequence(Risk.CODE, "RUNS CODE", "fragment 'drive'", 1),
        ]
    )
    assert gravest(found) == "RUNS CODE: modules vision, fragment 'drive'; deletes: components a, b"
    assert gravest(found, 60) == "RUNS CODE: modules vision, fragment 'drive'; deletes (2)"
    assert gravest(found, 40) == "RUNS CODE (2): modules vis…; deletes (2)"
    assert gravest(found, 30) == "RUNS CODE (2); deletes (2)"


def test_a_long_name_is_shortened_within_its_quotes_before_anything_else_is() -> None:
    long = "n" * 200
    for line in (f"of machine '{long}' in location 'Hall 3'", f'of machine "{long}" in location "Hall 3"'):
        shown = clipped(line)
        assert len(shown) <= HEADLINE_WIDTH
        assert shown.endswith(line[-20:])
        assert "n…" in shown
    assert clipped(f"'{long}' '{long}' {'words ' * 20}").count("'") == 4
    assert clipped(f"{'words ' * 15}'{long}'") == f"{'words ' * 15}…"
