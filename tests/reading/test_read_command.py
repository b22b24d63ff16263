"""``fieldloop read`` on files good and bad."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from fieldloop.cli import main
from tests.reading.pdfs import line, page_of


@pytest.fixture
def files(tmp_path):
    good = tmp_path / "good.pdf"
    good.write_bytes(page_of(line(72, 700, "Total due:") + line(200, 700, "12,50")))
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"this is no PDF")
    return str(good), str(bad)


def run(*arguments: str):
    return CliRunner().invoke(main, ["read", *arguments])


def test_json_is_one_object_per_file(files):
    result = run("--json", *files)
    assert result.exit_code == 1
    good, bad = map(json.loads, result.stdout.splitlines())
    assert good["file"] == files[0]
    assert (good["needs_ocr"], good["warnings"]) == (False, [])
    (page,) = good["pages"]
    assert (page["page"], page["width"], page["height"]) == (0, 612, 792)
    assert [word["text"] for word in page["words"]] == ["Total", "due:", "12,50"]
    word = page["words"][2]
    assert word["box"][0] == pytest.approx(200, abs=0.5)
    assert (word["source"], word["confidence"], word["font"]) == ("text", 1, "Helvetica")
    assert word["size"] == pytest.approx(12, abs=0.1)
    assert bad == {
        "file": files[1],
        "error": {
            "code": "unknown_type",
            "message": "The file is neither PDF, PNG, JPEG nor TIFF; convert it to one of these.",
        },
    }


def test_for_people(files):
    result = run(files[0])
    assert result.exit_code == 0
    assert "1 page, 3 words, by pdfium" in result.stdout
    assert "    Total due: 12,50" in result.stdout


def test_a_failure_is_told_apart(files):
    result = run(*files)
    assert result.exit_code == 1
    assert "Total due: 12,50" in result.stdout
    assert f"{files[1]}: The file is neither PDF" in result.stderr


def test_pictures_are_written(files, tmp_path):
    assert run("--images", str(tmp_path / "out"), files[0]).exit_code == 0
    (picture,) = (tmp_path / "out").iterdir()
    assert picture.name == "good-0001.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_limits_come_from_settings(files, monkeypatch):
    monkeypatch.setenv("FIELDLOOP_MAX_FILE_MB", "0.0001")
    result = run("--json", files[0])
    assert json.loads(result.stdout)["error"]["code"] == "too_large"
    monkeypatch.setenv("FIELDLOOP_MAX_FILE_MB", "many")
    assert "FIELDLOOP_MAX_FILE_MB: must be a number" in run(files[0]).output


def test_a_name_that_looks_like_markup_is_a_name(files, tmp_path):
    odd = tmp_path / "draft [red].pdf"
    odd.write_bytes((tmp_path / "good.pdf").read_bytes())
    result = run(str(odd))
    assert result.exit_code == 0
    assert str(odd) in result.stdout
