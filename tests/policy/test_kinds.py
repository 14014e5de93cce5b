"""The table of the kinds of holes that are tried."""

from __future__ import annotations

from pathlib import Path

from tests.kinds import KINDS, kind_of, table

TESTS = Path(__file__).parents[1]


def test_every_kind_is_tried_by_tests_that_there_are() -> None:
    assert len(KINDS) == 10
    for places in KINDS.values():
        for place in places:
            file, _, name = place.partition("::")
            assert (TESTS / file).is_file(), place
            assert f"def {name}" in (TESTS / file).read_text(), place


def test_a_test_is_of_the_kind_that_fits_it_best() -> None:
    scope = TESTS / "policy" / "test_scope.py"
    assert kind_of(scope, "test_authority_is_judged_by_all_that_it_opens[x]") == "authority behind a container"
    assert kind_of(scope, "test_lists_leave_out_what_is_outside") == "a scope that leaks"
    assert kind_of(TESTS / "policy" / "test_kinds.py", "test_any") is None


def test_the_table_says_how_many_cases_of_each_kind_held() -> None:
    first, second, *_ = KINDS
    lines = [*table([(first, "passed"), (first, "passed"), (second, "passed"), (second, "failed")])]
    assert [line.split() for line in lines] == [
        ["kind", "cases", "held"],
        [*first.split(), "2", "all"],
        [*second.split(), "2", "1"],
    ]
