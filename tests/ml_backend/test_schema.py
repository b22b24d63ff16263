"""Field schema files: what is taken, and which sentence a mistake gets."""

from __future__ import annotations

import pytest
import yaml

from ml_backend.label_config import label_config
from ml_backend.policy import Policy
from ml_backend.schema import SchemaError, load, parse

FIELD = {"name": "total", "type": "number"}


def content(**values):
    return {"project": "Invoices", "fields": [FIELD]} | values


def test_a_field_needs_no_more_than_name_and_type():
    (row,) = parse(content()).rows
    assert (row.label_en, row.label_pt, row.aliases, row.format) == ("Total", "Total", (), None)
    assert not row.required
    assert not row.multiple


def test_a_table_becomes_rows_of_its_columns():
    table = {"name": "item", "type": "table", "columns": [FIELD, {"name": "text", "type": "text"}]}
    schema = parse(content(fields=[table]))
    assert [row.name for row in schema.rows] == ["item", "item.total", "item.text"]
    labels = [part.split('"')[0] for part in label_config(schema.rows).split('alias="')[1:]]
    assert labels[:2] == ["item.total", "item.text"]


def test_the_settings_are_those_of_the_project():
    given = content(training={"min_documents": 4}, ocr_languages="deu", language="pt")
    schema = parse(given)
    assert schema.settings == {
        "training": {"min_documents": 4},
        "ocr_languages": "deu",
        "language": "pt",
    }
    assert Policy.from_settings(schema.settings).min_documents == 4
    assert parse(content()).settings == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"project": None}, "'project' must be a title"),
        ({"project": "ab"}, "3 to 50 characters"),
        ({"project": "x" * 51}, "3 to 50 characters"),
        ({"fields": []}, "at least one field"),
        ({"fields": "total"}, "must be a list"),
        ({"fields": {"total": "number"}}, "must be a list"),
        ({"fields": ["total"]}, "field 1: must be a mapping"),
        ({"fields": [FIELD, FIELD]}, "two fields are named 'total'"),
        ({"fields": [FIELD | {"name": "Total"}]}, "lower-case letters"),
        ({"fields": [FIELD | {"name": "a.b"}]}, "lower-case letters"),
        ({"fields": [FIELD | {"name": "x" * 61}]}, "lower-case letters"),
        ({"fields": [FIELD | {"name": True}]}, "it is True"),
        ({"fields": [FIELD | {"type": "money"}]}, "must be one of text, number"),
        ({"fields": [FIELD | {"typ": "text"}]}, "unknown key 'typ'"),
        ({"fields": [FIELD | {"format": "DMY"}]}, "'format' must be one of ., ,"),
        ({"fields": [{"name": "a", "type": "text", "format": "x"}]}, "left out for this type"),
        ({"fields": [FIELD | {"required": "yes"}]}, "'required' must be true or false"),
        ({"fields": [FIELD | {"label": {"fr": "x"}}]}, "'label' must be a text"),
        ({"fields": [FIELD | {"aliases": "x"}]}, "'aliases' must be a list"),
        ({"fields": [FIELD | {"columns": [FIELD]}]}, "only a table has 'columns'"),
        ({"fields": [{"name": "a", "type": "table"}]}, "needs a list of 'columns'"),
        (
            {
                "fields": [
                    {"name": "a", "type": "table", "columns": [FIELD | {"type": "signature"}]}
                ]
            },
            "a column cannot be a signature",
        ),
        ({"feilds": []}, "unknown key 'feilds'"),
        ({"language": "fr"}, "'language' must be one of"),
        ({"ocr_languages": "../x"}, "must look like por+eng"),
        ({"training": []}, "'training' must be a mapping"),
        ({"training": {"min_document": 5}}, "training: unknown key 'min_document'"),
        ({"training": {"min_documents": -1}}, "must be a number from 0"),
        ({"training": {"min_documents": 2.5}}, "must be a whole number"),
        ({"training": {"debounce": "soon"}}, "must be a number"),
        ({"training": {"debounce": float("inf")}}, "must be a number"),
        ({"training": {"debounce": True}}, "must be a number"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_file_and_the_fix(values, said):
    with pytest.raises(SchemaError) as error:
        parse(content(**values), "my.yaml")
    assert said in str(error.value)
    assert str(error.value).startswith("my.yaml")
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("given", [None, [], "text", 7])
def test_a_file_of_something_else(given):
    with pytest.raises(SchemaError, match="'project' and 'fields'"):
        parse(given)


def test_files_that_cannot_be_read_name_the_setting_or_the_line(tmp_path):
    with pytest.raises(SchemaError, match="FIELDLOOP_FIELDS"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(SchemaError, match="cannot be read"):
        load(tmp_path)
    file = tmp_path / "fields.yaml"
    file.write_text("project: x\nfields: [\n")
    with pytest.raises(SchemaError, match=r"line 3: is not valid YAML"):
        load(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match="is not valid YAML"):
        load(file)
    file.write_text("project: !!python/object/apply:os.system [ls]\n")
    with pytest.raises(SchemaError, match="is not valid YAML"):
        load(file)
    file.write_text(yaml.safe_dump(content()))
    assert load(file).title == "Invoices"
