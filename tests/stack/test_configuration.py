"""Code, .env.example and the reference name the same settings, with the same defaults."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from db.config import Settings
from fieldloop.stack.plan import DEFAULT_PORTS
from fieldloop.stack.settings import read_env_file

CHECKOUT = Path(__file__).parents[2]
OURS = re.compile(
    r"^(FIELDLOOP_[A-Z_]+|DATABASE_URL|REDIS_URL|BLOB_URL|LABEL_STUDIO_(URL|PUBLIC_URL|API_KEY)|AWS_[A-Z_]+)$"
)
# Between the supervisor and its parts; nobody sets them.
INTERNAL = {"FIELDLOOP_STACK", "FIELDLOOP_STACK_PART", "FIELDLOOP_STACK_SETTINGS", "AWS_"}
# Read by the library that speaks S3, not by us.
BY_LIBRARIES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"}


def in_code() -> set[str]:
    """String literals of our packages that are names of settings."""
    found = set()
    for package in ("db", "ml_backend", "sync", "fieldloop"):
        for path in (CHECKOUT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value} if OURS.match(node.value) else set()
    return found - INTERNAL


def in_compose() -> set[str]:
    text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
    return set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", text))


def in_example(tmp_path: Path) -> dict[str, str]:
    """The file with every # before a setting taken away, as the program reads it."""
    text = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    path = tmp_path / ".env"
    path.write_text(re.sub(r"^# (?=[A-Z_]+=)", "", text, flags=re.MULTILINE), encoding="utf-8")
    return read_env_file(path)


def in_reference() -> dict[str, str]:
    """Setting → default, of the tables."""
    text = (CHECKOUT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            for name in re.findall(r"`([A-Z_]+)`", cells[0]):
                found[name] = cells[2]
    return found


def test_every_setting_is_in_code_example_and_reference(tmp_path: Path) -> None:
    wanted = in_code() | in_compose() | BY_LIBRARIES
    assert wanted == set(in_example(tmp_path))
    assert wanted == set(in_reference())


def test_the_example_changes_nothing_until_a_line_is_uncommented() -> None:
    assert read_env_file(CHECKOUT / ".env.example") == {}


def test_defaults_are_the_same(tmp_path: Path) -> None:
    """Numbers: what the program does without the setting, the example's and the reference's."""
    example, reference = in_example(tmp_path), in_reference()
    settings = Settings.from_environ({}, needs=())
    program = {
        "FIELDLOOP_MAX_FILE_MB": settings.max_file_bytes / 1024**2,
        "FIELDLOOP_MAX_PAGES": settings.max_pages,
        "FIELDLOOP_PAGE_SECONDS": settings.page_seconds,
        "FIELDLOOP_READ_SECONDS": settings.read_seconds,
        "FIELDLOOP_READ_MEMORY_MB": settings.read_memory_bytes / 1024**2,
        **DEFAULT_PORTS,
    }
    assert {name: float(example[name]) for name in program} == program
    assert {name: float(reference[name]) for name in program} == program
    assert settings.backend_url == example["FIELDLOOP_BACKEND_URL"]
