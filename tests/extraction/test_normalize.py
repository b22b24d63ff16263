"""Every spelling a document may use, and a reason for every text that is no value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.extraction.fields import FieldSpec, FieldType
from ml_backend.extraction.normalize import fold, normalize


def spec(type_: FieldType, format_: str | None = None) -> FieldSpec:
    return FieldSpec("f", type_, format=format_)


@pytest.mark.parametrize(
    ("text", "format_", "expected"),
    [
        ("1,234.56", None, "1234.56"),
        ("1.234,56", None, "1234.56"),
        ("R$ 1.234,50", ",", "1234.5"),
        ("US$1,234", None, "1234"),
        ("$ 3,000.00 USD", ".", "3000"),
        ("1 234,56 €", None, "1234.56"),
        ("1'234'567.8", None, "1234567.8"),
        ("12,34,567.00", None, "1234567"),
        ("(1,250.00)", ".", "-1250"),
        ("$(12.50)", ".", "-12.5"),
        ("250.00-", None, "-250"),
        ("−12,5 %", None, "-12.5"),
        ("100.00 CR", None, "-100"),
        ("100.00 DR", None, "100"),
        ("1.234", ".", "1.234"),
        ("1.234", ",", "1234"),
        ("1,234", ",", "1.234"),
        ("1.234", None, "1234"),
        ("0.125", None, "0.125"),
        ("12,50", ".", "12.5"),  # can be read one way only
        ("1.234,56", ".", "1234.56"),
        (".75", None, "0.75"),
        ("-0.00", None, "0"),
        ("007", None, "7"),
        ("1,234 .56", None, "1234.56"),
        ("１２３", None, "123"),
        ("60%", None, "60"),
    ],
)
def test_numbers(text: str, format_: str | None, expected: str) -> None:
    result = normalize(text, spec(FieldType.NUMBER, format_))
    assert (result.value, result.problem) == (expected, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("n/a", "no digit"),
        ("12 to 15", "more than one number"),
        ("12 hours", "more than a number"),
        ("1,23,45", "group"),
        ("1.2.3,4", "group"),
    ],
)
def test_what_is_no_number_says_why(text: str, why: str) -> None:
    result = normalize(text, spec(FieldType.NUMBER))
    assert result.value is None
    assert why in (result.problem or "")


@pytest.mark.parametrize(
    ("text", "format_", "expected"),
    [
        ("2026-03-15", None, "2026-03-15"),
        ("2026/3/5", "DMY", "2026-03-05"),
        ("03/04/2026", "DMY", "2026-04-03"),
        ("03/04/2026", "MDY", "2026-03-04"),
        ("26-03-04", "YMD", "2026-03-04"),
        ("15.03.26", None, "2026-03-15"),
        ("3/15/99", None, "1999-03-15"),
        ("15/03/2026", "MDY", "2026-03-15"),  # month 15 does not exist
        ("04/04/2026", None, "2026-04-04"),
        ("15 de março de 2026", None, "2026-03-15"),
        ("1º de fevereiro de 2026", None, "2026-02-01"),
        ("7 de dez. de 2025", None, "2025-12-07"),
        ("March 15, 2026", None, "2026-03-15"),
        ("Mon, Mar 2nd 2026", None, "2026-03-02"),
        ("15-MAR-26", None, "2026-03-15"),
        ("15mar2026", None, "2026-03-15"),
        ("2026 May 4", None, "2026-05-04"),
        ("quarta-feira, 4 de maio de 2022", None, "2022-05-04"),
        ("2026-03-15T10:22:01Z", None, "2026-03-15"),
        ("03/15/2026 10:30 AM", None, "2026-03-15"),
        ("20260315", None, "2026-03-15"),
        ("15032026", "DMY", "2026-03-15"),
        ("29 Feb 2024", None, "2024-02-29"),
        ("10 out 2025", None, "2025-10-10"),
    ],
)
def test_dates(text: str, format_: str | None, expected: str) -> None:
    result = normalize(text, spec(FieldType.DATE, format_))
    assert (result.value, result.problem) == (expected, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  ", "empty"),
        ("upon receipt", "no date"),
        ("03/04/2026", "day or month first"),
        ("March 2026", "lacks"),
        ("31/04/2026", "calendar"),
        ("29 Feb 2023", "calendar"),
        ("01/02/2026 - 03/02/2026", "more than one date"),
        ("15 Mar 26 net thirty", "more than a date"),
        ("15/03/0026", "no year"),
    ],
)
def test_what_is_no_date_says_why(text: str, why: str) -> None:
    result = normalize(text, spec(FieldType.DATE))
    assert result.value is None
    assert why in (result.problem or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("☑", "true"),
        ("☒ Yes", "true"),
        ("[x]", "true"),
        ("[ X ]", "true"),
        ("X", "true"),
        ("✓", "true"),
        ("Sim", "true"),
        ("yes.", "true"),
        ("☐", "false"),
        ("[ ]", "false"),
        ("[]", "false"),
        ("Não", "false"),
        ("NO", "false"),
        ("", "false"),
        ("\uf0fe", "true"),
        ("\uf0a8", "false"),
    ],
)
def test_checkboxes(text: str, expected: str) -> None:
    assert normalize(text, spec(FieldType.CHECKBOX)).value == expected


def test_a_checkbox_without_a_tick_says_why() -> None:
    result = normalize("maybe", spec(FieldType.CHECKBOX))
    assert result.value is None
    assert "neither a tick" in (result.problem or "")


def test_signatures_texts_identifiers_tables() -> None:
    assert normalize("signed", spec(FieldType.SIGNATURE)).value == "true"
    assert normalize("", spec(FieldType.SIGNATURE)).value == "false"
    assert normalize("  INV  -  7 ", spec(FieldType.IDENTIFIER)).value == "INV - 7"
    assert normalize(" Dois\n Irmãos  Ltda ", spec(FieldType.TEXT)).value == "Dois Irmãos Ltda"
    assert normalize("x", spec(FieldType.TABLE)).value is None


def test_folding_drops_accents_case_and_ligatures() -> None:
    assert fold("Emissão ﬁscal Nº") == "emissao fiscal no"


@given(
    st.text(max_size=40),
    st.sampled_from(FieldType),
    st.sampled_from([None, "DMY", "MDY", "YMD", ".", ","]),
)
def test_any_text_gives_a_value_or_a_sentence(
    text: str, type_: FieldType, format_: str | None
) -> None:
    result = normalize(text, spec(type_, format_))
    assert (result.value is None) != (result.problem is None)
    if result.problem:
        assert result.problem.endswith(".")


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_printed_amounts_come_back(amount: object) -> None:
    printed = f"{amount:,.2f}"
    swapped = printed.translate(str.maketrans(",.", ".,"))
    expected = normalize(f"{amount:.2f}", spec(FieldType.NUMBER, ".")).value
    assert expected is not None
    assert normalize(printed, spec(FieldType.NUMBER, ".")).value == expected
    assert normalize(swapped, spec(FieldType.NUMBER, ",")).value == expected
