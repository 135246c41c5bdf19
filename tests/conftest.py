import os

import pytest
from kaggle_server import TOKEN, KaggleServer

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as landmarks/cli.py does, and for its reason


@pytest.fixture
def launched(monkeypatch):
    """launched(n): this process is number n of two that a launcher started."""

    def variables(number):
        for name, value in {"LOCAL_RANK": number, "RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}.items():
            monkeypatch.setenv(name, str(value))

    return variables


@pytest.fixture
def server():
    running = KaggleServer()
    yield running
    running.close()


@pytest.fixture
def signed_out(monkeypatch, tmp_path_factory):
    """No credential anywhere, whatever the machine has."""
    home = tmp_path_factory.mktemp("home")
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    return home


@pytest.fixture
def signed_in(signed_out, server, monkeypatch):
    """Kaggle's client speaks to the server on this machine, with a token that it knows."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.url)
    return server
