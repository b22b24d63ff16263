"""Percent of Label Studio ⇄ points of the page."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.regions import PageSize, read_result, table_rows, to_percent, to_points

PAGE = PageSize(600.0, 800.0)
SHARE = st.floats(0, 100, allow_nan=False)


@settings(deadline=None)
@given(SHARE, SHARE, SHARE, SHARE)
def test_there_and_back(x, y, width, height):
    width, height = min(width, 100 - x), min(height, 100 - y)
    box = to_points({"x": x, "y": y, "width": width, "height": height}, PAGE)
    back = to_percent(box, PAGE)
    for name, wanted in (("x", x), ("y", y), ("width", width), ("height", height)):
        assert back[name] == pytest.approx(wanted, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-50, 150), st.floats(-50, 150), st.floats(-80, 80), st.floats(-80, 80))
def test_without_rotation_and_with_a_full_turn_are_one(x, y, width, height):
    value = {"x": x, "y": y, "width": width, "height": height}
    plain = to_points(value, PAGE)
    turned = to_points({**value, "rotation": 360}, PAGE)
    assert plain == pytest.approx(turned, abs=1e-6)
    assert 0 <= plain[0] <= plain[2] <= PAGE.width
    assert 0 <= plain[1] <= plain[3] <= PAGE.height


def test_a_quarter_turn_swaps_the_sides():
    box = to_points({"x": 50, "y": 50, "width": 10, "height": 20, "rotation": 90}, PAGE)
    assert box == pytest.approx((300 - 160, 400, 300, 400 + 60))


@pytest.mark.parametrize("bad", [None, "1", True, math.nan, math.inf, 10**400])
def test_what_is_no_number_has_no_place(bad):
    with pytest.raises(ValueError, match="finite"):
        to_points({"x": bad, "y": 1, "width": 1, "height": 1}, PAGE)


def test_cells_of_one_line_are_one_row():
    def cell(key, name, y):
        value = {"x": 1, "y": y, "width": 5, "height": 2, "rectanglelabels": [name]}
        return {"id": key, "type": "rectanglelabels", "from_name": "label", "value": value}

    reading = read_result(
        [cell("a", "items.name", 10), cell("b", "items.price", 10.5), cell("c", "items.name", 13)],
        [PAGE],
    )
    assert table_rows(reading.regions) == {"a": 0, "b": 0, "c": 1}
