"""Blobs in a folder and in a bucket."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.blobs import open_blobs
from db.errors import BlobCorrupt, BlobMissing, ConfigError

NOTHING = "0" * 64


@given(data=st.binary(max_size=5000))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_put_comes_back(blobs, data):
    key = blobs.put(data)
    assert key == hashlib.sha256(data).hexdigest()
    assert blobs.put(data) == key
    assert blobs.get(key) == data
    assert key in set(blobs.iterate())


def test_missing_and_deleted(blobs):
    with pytest.raises(BlobMissing, match=NOTHING):
        blobs.get(NOTHING)
    key = blobs.put(b"x")
    blobs.delete(key)
    blobs.delete(key)
    assert not blobs.exists(key)
    assert list(blobs.iterate()) == []


def test_damage_is_found_and_a_cut_file_mended(tmp_path):
    blobs = open_blobs(tmp_path.as_uri())
    key = blobs.put(b"twelve bytes")
    file = tmp_path / key[:2] / key[2:4] / key
    file.write_bytes(b"other bytes!")
    with pytest.raises(BlobCorrupt):
        blobs.get(key)
    file.write_bytes(b"")
    blobs.put(b"twelve bytes")
    assert blobs.get(key) == b"twelve bytes"


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "ABC", "f" * 63, "F" * 64])
def test_only_hashes_are_keys(blobs, key):
    with pytest.raises(ValueError, match="SHA-256"):
        blobs.get(key)


def test_other_files_are_not_blobs(tmp_path):
    blobs = open_blobs(tmp_path.as_uri())
    key = blobs.put(b"x")
    (tmp_path / "README").write_text("hello")
    (tmp_path / NOTHING).write_text("a hash in the wrong folder")
    assert list(blobs.iterate()) == [key]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file://host/path", "three slashes"),
        ("file:///", "a folder"),
        ("s3:///prefix", "no bucket"),
        ("ftp://host/x", "file:// or s3://"),
        ("/plain/path", "no scheme"),
    ],
)
def test_addresses_that_cannot_be_used(url, says):
    with pytest.raises(ConfigError, match=says) as caught:
        open_blobs(url)
    assert caught.value.setting == "BLOB_URL"


@pytest.fixture
def bucket(monkeypatch):
    program = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")
    if program is None:
        pytest.skip(
            "NO S3 TEST: install moto[server] in an environment of its own and set MOTO_SERVER."
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                requests.put(f"{url}/fieldloop-test", timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield "s3://fieldloop-test/some/prefix"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_a_bucket(bucket):
    blobs = open_blobs(bucket)
    key = blobs.put(b"x" * 1000)
    assert blobs.put(b"x" * 1000) == key
    assert blobs.get(key) == b"x" * 1000
    assert list(blobs.iterate()) == [key]
    with pytest.raises(BlobMissing):
        blobs.get(NOTHING)
    blobs.delete(key)
    assert not blobs.exists(key)


def test_a_folder_with_a_blank_and_an_accent(tmp_path: Path):
    folder = tmp_path / "meus documentos é"
    key = open_blobs(folder.as_uri()).put(b"x")
    assert (folder / key[:2] / key[2:4] / key).read_bytes() == b"x"
