"""How figures are said in the console."""

from __future__ import annotations

import pytest

from ml_backend.console.language import language


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [
        (None, "–", "–"),
        (0.0, "0%", "0%"),
        (1.0, "100%", "100%"),
        (0.87, "87%", "87%"),
        (0.995, "99.5%", "99,5%"),
        (0.99995, "99.9%", "99,9%"),
        (0.004, "0.4%", "0,4%"),
        (0.00001, "0.1%", "0,1%"),
    ],
)
def test_less_than_all_is_never_all(value: float | None, english: str, portuguese: str) -> None:
    assert language("en").percent(value) == english
    assert language("pt-BR").percent(value) == portuguese
