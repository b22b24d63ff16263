"""What a task shows beside its regions."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from ml_backend.extraction.fields import FieldSpec, FieldType
from ml_backend.payloads import Shown, task_data

ITEM = FieldSpec(
    name="item",
    type=FieldType.TABLE,
    label_en="Items",
    label_pt="Itens",
    columns=(
        FieldSpec(name="amount", type=FieldType.NUMBER, label_en="Amount", label_pt="Valor"),
        FieldSpec(name="text", type=FieldType.TEXT, label_en="Text", label_pt="Texto"),
    ),
)
SPECS = (
    FieldSpec(name="total", type=FieldType.NUMBER, label_en="Total", required=True),
    FieldSpec(name="issued", type=FieldType.DATE, label_en="Issue date", label_pt="Emissão"),
    FieldSpec(name="due", type=FieldType.DATE, label_en="Due date", label_pt="Vencimento"),
    ITEM,
)


@pytest.fixture
def shown():
    return Shown(uuid.uuid4(), uuid.uuid4(), "a.pdf", 1, ["u"], [], 3, SPECS)


def test_the_least_certain_fields_are_named_and_few(shown):
    sure = {"total": 0.7, "issued": 0.95, "due": 0.5, "item.amount": 0.2, "item.text": 0.1}
    assert "- Look twice: Items, Due date, Total" in task_data(shown, sure)["warnings"]
    certain = dict.fromkeys(sure, 0.99)
    assert task_data(shown, certain)["warnings"] == "**a.pdf**"


def test_a_required_field_without_a_value_is_named(shown):
    assert "- Not found, but required: Total" in task_data(shown, {"due": 0.9})["warnings"]


def test_names_and_warnings_cannot_style_the_page(shown):
    nasty = "<style>*{display:none}</style>[x](javascript:1)`"
    data = task_data(
        replace(shown, name=nasty, warnings=[{"page": 1, "message": nasty}]), {"total": 1.0}
    )
    assert "<style>" not in data["warnings"]
    assert "](" not in data["warnings"]
    assert "page 2: " in data["warnings"]
    assert "<style>" not in data["help"]


def test_everything_is_read_in_portuguese_and_kept_by_name(shown):
    data = task_data(replace(shown, language="pt"), {"due": 0.1})
    assert "Não encontrados, mas obrigatórios: Total" in data["warnings"]
    assert "Confira de novo: Vencimento" in data["warnings"]
    assert {"value": "Itens: Valor", "alias": "item.amount"} in data["absent_options"]
    assert [option["alias"] for option in data["absent_options"]] == [
        "total",
        "issued",
        "due",
        "item.amount",
        "item.text",
    ]
    assert "Escolha um campo" in data["help"]


def test_many_warnings_are_counted(shown):
    many = [{"page": n, "message": "odd"} for n in range(8)]
    assert "- and 3 more" in task_data(replace(shown, warnings=many), {})["warnings"]


def test_the_switches_are_offered_by_link_where_there_is_one(shown):
    assert "Auto-Annotation" in task_data(shown, {})["help"]
    linked = task_data(replace(shown, switches="/data/local-files/?d=a&project=1"), {})["help"]
    assert 'href="/data/local-files/?d=a&amp;project=1"' in linked
