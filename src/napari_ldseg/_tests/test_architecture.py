"""What the import contract in setup.cfg cannot say: no circle of files, and no private name of another room."""

import ast
from collections.abc import Iterator
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


def imports(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the module (below the package) and the name of each import of ours in a file."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = tuple(filter(None, (node.module or "").split(".")))
        if node.level:
            module = (*package[: len(package) - node.level + 1], *module)
        elif module[0] == PACKAGE:
            module = module[1:]
        else:
            continue
        for one in node.names:
            yield module, one.name


def test_no_private_name_is_imported_from_another_room() -> None:
    """Within a room, and between those of `_qt`, private files may be named; names with an underscore never."""
    taken = []
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0]
        if room == "_tests":
            continue
        for module, name in imports(path):
            private_name = name.startswith("_") and not ROOT.joinpath(*module, f"{name}.py").exists()
            home = ROOT.joinpath(*module) if ROOT.joinpath(*module).is_dir() else ROOT.joinpath(*module[:-1])
            private_file = module[:1] != (room,) and any(part.startswith("_") for part in module[1:])
            if (private_name and home not in (path.parent, ROOT)) or (private_file and path.parent != ROOT):
                taken.append(f"{path.relative_to(ROOT)}: {name} from {'.'.join(module)}")
    assert taken == []


def test_only_one_room_makes_layers() -> None:
    """Results, helpers and opened files look the same wherever they come from."""
    made = []
    for path in sorted((ROOT / "_qt").rglob("*.py")):
        if path.parent.name == "viewer":
            continue
        tree = ast.parse(path.read_text())
        layers = {
            one.asname or one.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "napari.layers"
            for one in node.names
        }
        for node in ast.walk(tree):
            name = node.func if isinstance(node, ast.Call) else None
            is_made = isinstance(name, ast.Name) and name.id in layers
            if is_made or (isinstance(name, ast.Attribute) and name.attr in ("add_image", "add_labels", "add_shapes")):
                made.append(f"{path.relative_to(ROOT)}:{name.lineno if name else 0}")
    assert made == []
