"""Whether this machine has a Kaggle credential, and which; its content is never shown."""

from __future__ import annotations

import os
from pathlib import Path

from landmarks.errors import UserError
from landmarks.reading import read_text
from landmarks.store.json_files import parse_json

PAGE = "https://www.kaggle.com/settings/api"
HOW_TO = f"""make one of these three (an account is free: https://www.kaggle.com/account/login):
         1. {PAGE}: click "Generate New Token", then  export KAGGLE_API_TOKEN=...
         2. the same token in a file of its own: ~/.kaggle/access_token  (chmod 600)
         3. {PAGE}: click "Create Legacy API Key", then  mv kaggle.json ~/.kaggle/  (chmod 600),
            or  export KAGGLE_USERNAME=... KAGGLE_KEY=..."""


def find_credential() -> str | None:
    """The place where Kaggle's client will find a credential, in the client's order, without its content; None if there is none."""
    home = Path.home() / ".kaggle"
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN"
    for name in ("access_token", "access_token.txt"):
        if _text(home / name).strip():
            return f"~/.kaggle/{name}"
    legacy = config_folder() / "kaggle.json"
    in_file, in_environment = _keys(legacy), {key for key in ("username", "key") if f"KAGGLE_{key.upper()}" in os.environ}
    if in_environment == {"username", "key"}:
        return "KAGGLE_USERNAME and KAGGLE_KEY"
    if in_file | in_environment >= {"username", "key"}:
        return str(legacy)
    if "refresh_token" in _keys(home / "credentials.json"):
        return "~/.kaggle/credentials.json (kaggle auth login)"
    return None


def config_folder() -> Path:
    """The folder in which the client looks for kaggle.json."""
    if os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(os.environ["KAGGLE_CONFIG_DIR"])
    home = Path.home() / ".kaggle"
    return home if home.exists() else Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "kaggle")


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError, UserError):
        return ""


def _keys(path: Path) -> set[str]:
    """The keys of a JSON file that have a value; none where it is missing or malformed, as in the client."""
    try:
        values = parse_json(_text(path))
    except ValueError:
        return set()
    return {key for key, value in values.items() if value} if isinstance(values, dict) else set()
