"""Settings: defaults, and errors that name the setting and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.config import REQUIRED, Settings
from db.errors import ConfigError

ENVIRON = {
    "DATABASE_URL": "postgresql://u:sesame-one@host/db",
    "REDIS_URL": "redis://:sesame-two@host:6379/0",
    "BLOB_URL": "file:///var/lib/blobs",
    "LABEL_STUDIO_URL": "http://ls:8080/",
    "LABEL_STUDIO_API_KEY": "sesame-three",
    "FIELDLOOP_WEBHOOK_SECRET": "sesame-four-sesame",
    "FIELDLOOP_SIGNING_KEY": "sesame-five-sesame",
}


def test_defaults_follow_one_another():
    settings = Settings.from_environ(ENVIRON)
    assert settings.label_studio_url == settings.label_studio_public_url == "http://ls:8080"
    assert settings.backend_url == settings.public_url == "http://127.0.0.1:9090"
    assert settings.reader_password is None
    assert settings.fields_path is None
    other = Settings.from_environ(
        ENVIRON | {"FIELDLOOP_FIELDS": "a.yaml", "FIELDLOOP_PUBLIC_URL": "https://f/"}
    )
    assert (other.fields_path, other.public_url) == (Path("a.yaml"), "https://f")


def test_secrets_are_not_shown():
    assert "sesame" not in repr(Settings.from_environ(ENVIRON))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_named(name):
    with pytest.raises(ConfigError, match=f"{name}: is not set; it names") as caught:
        Settings.from_environ({k: v for k, v in ENVIRON.items() if k != name})
    assert caught.value.setting == name


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mysql://x/y", "postgresql:"),
        ("REDIS_URL", "localhost:6379", "redis:"),
        ("FIELDLOOP_SIGNING_KEY", "short", "at least 16"),
    ],
)
def test_a_malformed_setting_is_named_but_not_shown(name, value, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Settings.from_environ(ENVIRON | {name: value})
    assert value not in str(caught.value)


def test_a_process_may_need_less():
    settings = Settings.from_environ(
        {"DATABASE_URL": ENVIRON["DATABASE_URL"]}, needs=("DATABASE_URL",)
    )
    assert settings.redis_url == ""
