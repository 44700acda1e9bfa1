"""The page on delivery semantics names tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.findall(
    r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "delivery-semantics.md").read_text(encoding="utf-8")
)


def test_every_named_test_exists() -> None:
    defined = {
        (path, node.name)
        for path in {path for path, _ in NAMED}
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(NAMED) - defined == set()
    assert len(NAMED) > 20
