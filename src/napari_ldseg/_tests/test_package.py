"""What holds for the package as a whole: light import, manifest, sizes, no pickles."""

import ast
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from npe2 import PluginManifest

import napari_ldseg

from ..checkpoints._index import read_index

PACKAGE = Path(napari_ldseg.__file__).parent
CHECKOUT = PACKAGE.parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 400, 60


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def loaded_by(statement: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a fresh interpreter has after one statement."""
    code = f"{statement}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_is_light() -> None:
    heavy = ("torch", "numpy", "pydantic", "napari", "qtpy", "PySide6", "PyQt6")
    assert loaded_by("import napari_ldseg", heavy) == []
    assert loaded_by("import numpy", heavy) == ["numpy"]  # the probe can see


def test_command_line_starts_without_torch_and_viewer() -> None:
    assert loaded_by("import napari_ldseg.cli", ("torch", "numpy", "napari", "qtpy")) == []


def test_module_is_the_command_line() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "napari_ldseg", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"napari-ldseg {napari_ldseg.__version__}\n"


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if "_tests" not in path.parts],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_nothing_asks_for_an_installed_distribution(path: Path) -> None:
    # From a source tree on PYTHONPATH (a cluster, say) there is none; the version is napari_ldseg.__version__.
    assert "importlib.metadata" not in path.read_text(encoding="utf-8")


def test_reading_a_picture_and_listing_models_need_no_torch() -> None:
    statement = "import napari_ldseg as n; n.read_image, n.list_models()"
    assert loaded_by(statement, ("torch", "qtpy")) == []


@pytest.mark.parametrize("name", napari_ldseg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(napari_ldseg, name) is not None


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="attribute segmnt"):
        _ = getattr(napari_ldseg, "segmnt")  # noqa: B009


def test_manifest_is_valid_and_its_commands_can_be_imported() -> None:
    manifest = PluginManifest.from_file(PACKAGE / "napari.yaml")
    manifest.validate_imports()
    assert manifest.name == "napari-ldseg"


def test_top_level_manifest_is_the_packaged_one() -> None:
    top = CHECKOUT / "napari.yaml"
    if not (CHECKOUT / "setup.cfg").exists():
        pytest.skip("installed from a wheel: there is no checkout around the package")
    if top.is_symlink():
        assert top.resolve() == PACKAGE / "napari.yaml"
    else:  # a checkout on Windows without symbolic links holds the target's name
        assert top.read_text().strip() == "src/napari_ldseg/napari.yaml"


def test_the_index_of_models_names_the_files_that_lie_beside_it() -> None:
    """After a new model or card: python scripts/release_models.py."""
    folder = CHECKOUT / "models"
    if not folder.is_dir():
        pytest.skip("installed from a wheel: there is no checkout around the package")
    listed = {offer.name: (offer.sha256, offer.size) for offer in read_index(str(folder / "index.json")).models}
    files = {path.parent.name: path.read_bytes() for path in folder.glob("*/model.safetensors")}
    assert listed == {name: (hashlib.sha256(raw).hexdigest(), len(raw)) for name, raw in files.items()}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    last = function.end_lineno or function.lineno
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = first.end_lineno - first.lineno + 1 if documented and first.end_lineno else 0
    return last - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_size_budget(path: Path) -> None:
    if "_tests" not in path.parts:  # a table of cases may be long
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE
    functions = [node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {node.name: code_lines(node) for node in functions if code_lines(node) > MAX_FUNCTION} == {}


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Also of files that import each other inside a function, or for their types only."""
    graph = grimp.build_graph("napari_ldseg")
    files = {str(name) for name in graph.modules if "._tests" not in name and not graph.find_children(name)}
    left = {name: {each for each in graph.find_modules_directly_imported_by(name) if each in files} for name in files}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    assert left == {}


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if "_tests" not in path.parts],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_checkpoints_are_data_never_code(path: Path) -> None:
    tree = parse(path)
    assert not {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"} & set(imports(tree))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) == "torch.load":
            assert "weights_only=True" in ast.unparse(call)
