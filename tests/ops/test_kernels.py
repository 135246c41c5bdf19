"""Every compiled kernel lets other threads run: those that watch the parent process and the other machines count on it."""

import ast
from pathlib import Path

import landmarks


def decorators(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for decorator in getattr(node, "decorator_list", []):
            if "numba" in ast.unparse(decorator):
                yield f"{path.name}: {node.name}", ast.unparse(decorator)


def test_kernels_release_the_interpreter():
    found = dict(one for path in Path(landmarks.__file__).parent.rglob("*.py") for one in decorators(path))
    assert len(found) > 40
    assert not {name: text for name, text in found.items() if "nogil=True" not in text}
