"""YAML files of settings, read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from landmarks.errors import UserError

RUN_FILE, VERSION = "config.yaml", 1  # of the configuration that a run folder keeps of itself


class _NoRepeatedKeys(yaml.SafeLoader):
    """YAML's own loader lets the last of two equal keys win in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{repeated}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a configuration file, without empty sections. Raises UserError for a file that is none, or of a later version."""
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _NoRepeatedKeys)
    except OSError as error:
        raise UserError(f"cannot read the configuration: {error.strerror}", where=path, next="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"not valid YAML: {error}", where=path, next="correct the file") from None
    if not isinstance(tree, dict | None):
        raise UserError("the configuration must be a mapping of keys", where=path, next="see configs/sample.yaml")
    tree = {key: value for key, value in (tree or {}).items() if value is not None}  # a section whose keys are all commented out
    version = tree.pop("version", VERSION)
    if version != VERSION:
        what = f"written by another version of this program (format {version})"
        raise UserError(what, where=path, next="use that version, or another run.folder")
    return tree
