import json

import pytest

from landmarks.remote.credentials import config_folder, find_credential


def test_none(signed_out):
    assert find_credential() is None


@pytest.mark.parametrize("file", ["access_token", "access_token.txt"])
def test_a_token_file(signed_out, file):
    (signed_out / ".kaggle").mkdir()
    (signed_out / ".kaggle" / file).write_text("\n")
    assert find_credential() is None
    (signed_out / ".kaggle" / file).write_text("secret\n")
    assert find_credential() == f"~/.kaggle/{file}"


def test_the_environment_goes_before_files_and_nothing_is_shown(signed_out, monkeypatch):
    (signed_out / ".kaggle").mkdir()
    (signed_out / ".kaggle/kaggle.json").write_text(json.dumps({"username": "someone", "key": "secret"}))
    assert find_credential() == str(signed_out / ".kaggle/kaggle.json")
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    assert find_credential() == str(signed_out / ".kaggle/kaggle.json")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    assert find_credential() == "KAGGLE_USERNAME and KAGGLE_KEY"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret")
    assert find_credential() == "KAGGLE_API_TOKEN"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"username": "someone"}', '{"username": "someone", "key": ""}'])
def test_a_half_file_is_none(signed_out, text):
    (signed_out / ".kaggle").mkdir()
    (signed_out / ".kaggle/kaggle.json").write_text(text)
    assert find_credential() is None


def test_the_client_looks_where_we_look(signed_out, monkeypatch):
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    assert config_folder() == signed_out / ".config/kaggle"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(signed_out / "x"))
    assert config_folder() == signed_out / "x/kaggle"
    (signed_out / ".kaggle").mkdir()
    assert config_folder() == signed_out / ".kaggle"
