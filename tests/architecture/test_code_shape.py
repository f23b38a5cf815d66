"""Code stays small, documented and free of drawers for leftovers."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kerp"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
DRAWERS = {"utils", "util", "helpers", "misc", "common"}


def functions(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_what_it_is_and_is_no_drawer(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module docstring says what the module knows and what it does not"
    assert path.stem not in DRAWERS
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, "two rooms in one?"


def test_no_function_is_longer_than_60_lines_and_most_are_short() -> None:
    lengths = {}
    for path in MODULES:
        for node in functions(path):
            size = node.end_lineno - node.lineno + 1
            lengths[f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"] = size
    assert {name: size for name, size in lengths.items() if size > 60} == {}
    ordered = sorted(lengths.values())
    assert ordered[len(ordered) // 2] <= 12


def test_rooms_import_nothing_when_opened() -> None:
    for path in SOURCE.glob("*/__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) for node in body), f"{path.parent.name}: keep __init__ free of imports"
