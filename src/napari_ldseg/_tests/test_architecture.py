"""What the import contract in setup.cfg cannot say: no circle of files, and no private name of another room."""

import ast
from pathlib import Path

import grimp

PACKAGE = "napari_ldseg"
ROOT = Path(__file__).parents[1]


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components of more than one node (Tarjan 1972)."""
    found: list[set[str]] = []
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for other in arrows[node]:
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in path:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            place = path.index(node)
            if len(path) - place > 1:
                found.append(set(path[place:]))
            del path[place:]

    for node in arrows:
        if node not in order:
            visit(node)
    return found


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [{"a", "b", "c"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    arrows = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(arrows) > 200
    assert circles(arrows) == []


def test_no_name_with_an_underscore_is_imported_from_another_room() -> None:
    """Private modules may be imported by their path inside `_qt`, whose rooms have no face; private names never."""
    taken = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if parts[0] == "_tests":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or (
                node.level == 0 and (node.module or "").split(".")[0] != PACKAGE
            ):
                continue
            folder = ROOT.joinpath(*parts[: len(parts) - node.level]) if node.level else ROOT.parent
            source = folder.joinpath(*filter(None, (node.module or "").split(".")))
            modules = {file.stem for file in source.iterdir()} if source.is_dir() else set()
            inside = source if source.is_dir() else source.parent
            same_room = inside == path.parent or (inside == ROOT and node.module is None)
            private = [one.name for one in node.names if one.name.startswith("_") and one.name not in modules]
            by_path = parts[0] != "_qt" and not same_room and not source.is_dir() and source.name.startswith("_")
            if (private and not same_room) or by_path:
                taken.append(f"{'/'.join(parts)}:{node.lineno} {ast.unparse(node)}")
    assert taken == []
