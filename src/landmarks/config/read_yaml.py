"""YAML of settings, read strictly: no repeated keys, no bombs, no value that is not what it says it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from landmarks.errors import UserError, shown
from landmarks.reading import read_text

RUN_FILE, VERSION = "config.yaml", 1  # of the configuration that a run folder keeps of itself
MAX_DEPTH = 50  # collections within each other
MAX_CHARACTERS = 1_000_000  # of the text, and of it with every alias replaced by what it stands for
_MAX_BITS = 63
_ANOTHER_BASE = re.compile(r"[-+]?0[0-9_bx]|.*:")  # 010 is 8 in YAML 1.1, 0x10 is 16, and 1:30 is 90


class _StrictLoader(yaml.SafeLoader):
    """YAML's own loader lets the last of two equal keys win in silence, and raises errors of Python for malformed scalars."""

    def construct_object(self, node, deep=False):
        if not isinstance(node, yaml.ScalarNode):
            return super().construct_object(node, deep)
        try:
            value = super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, OverflowError):  # from PyYAML: 2001-99-99, !!bool maybe, !!timestamp x
            raise _error(f"'{shown(node.value, 60)}' is not a value of {node.tag.rpartition(':')[2]}", node) from None
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise _error(f"the number {shown(node.value, 60)} is too large", node)
        if isinstance(value, int | float) and not isinstance(value, bool) and _ANOTHER_BASE.match(node.value):
            raise _error(f"write {shown(value, 60)} for {shown(node.value, 60)}, or quote it: YAML reads it in another base", node)
        if isinstance(value, str) and any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
            raise _error(f"the text '{shown(value, 60)}' holds a character that no file name may hold", node)
        return value

    def construct_mapping(self, node, deep=False):
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if not isinstance(key_node, yaml.ScalarNode):
                    raise _error("a key should be a word", key_node)
                if key in seen:
                    raise _error(f"the key '{shown(key, 60)}' is given twice", node)
                seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """The value of a YAML document. Raises YAMLError for malformed text, repeated keys, and what is nested or repeated without bounds."""
    _refuse_bombs(text)
    return _unshared(yaml.load(text, _StrictLoader))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a configuration file, without empty sections. Raises UserError for a file that is none, or of a later version."""
    try:
        tree = parse_yaml(read_text(path, 4 * MAX_CHARACTERS))
    except OSError as error:
        raise UserError(f"cannot read the configuration: {error.strerror}", where=path, next="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"not valid YAML: {error}", where=path, next="correct the file") from None
    if not isinstance(tree, dict | None):
        raise UserError("the configuration must be a mapping of keys", where=path, next="see configs/sample.yaml")
    tree = {key: value for key, value in (tree or {}).items() if value is not None}  # a section whose keys are all commented out
    version = tree.pop("version", VERSION)
    if version != VERSION:
        what = f"written by another version of this program (format {shown(version)})"
        raise UserError(what, where=path, next="use that version, or another run.folder")
    return tree


def _unshared(value: Any) -> Any:
    """A copy in which an alias is a value of its own: an override of one must not change the other."""
    if isinstance(value, dict):
        return {key: _unshared(one) for key, one in value.items()}
    return [_unshared(one) for one in value] if isinstance(value, list) else value


def _refuse_bombs(text: str) -> None:
    """Raise YAMLError before anything is built: the loader is recursive, and ten levels of ten aliases each are ten billion values."""
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"more than {MAX_CHARACTERS:,} characters")
    sizes: dict[str, int] = {}  # of what each anchor stands for
    opened: list[tuple[str | None, int]] = []  # the anchors of the collections around an event, and their sizes so far
    total = 0
    try:
        for event in yaml.parse(text, _StrictLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append((event.anchor, total))
                total += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = opened.pop()
                if anchor is not None:
                    sizes[anchor] = total - before
            elif isinstance(event, yaml.ScalarEvent):
                total += 1 + len(event.value)
                if event.anchor is not None:
                    sizes[event.anchor] = 1 + len(event.value)
            elif isinstance(event, yaml.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in opened):
                    raise _error(f"'{event.anchor}' stands for something that holds itself", event)
                total += sizes.get(event.anchor or "", 0)
            if len(opened) > MAX_DEPTH:
                raise _error(f"nested more than {MAX_DEPTH} deep", event)
            if total > MAX_CHARACTERS:
                raise _error(f"more than {MAX_CHARACTERS:,} characters, with what its aliases stand for", event)
    except (ValueError, OverflowError) as error:  # from PyYAML, for "\UFFFFFFFF"
        raise yaml.YAMLError(f"no such character: {error}") from None


def _error(what: str, at: yaml.Event | yaml.Node) -> yaml.YAMLError:
    mark = at.start_mark
    return yaml.YAMLError(what if mark is None else f"{what}, line {mark.line + 1}, column {mark.column + 1}")
