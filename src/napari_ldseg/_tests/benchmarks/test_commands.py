"""Every benchmark and script imports, and every command and link in the documents leads somewhere."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ...cli._app import app

CHECKOUT = Path(__file__).parents[4]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "models/**/*.md", "benchmarks/*.md", "scripts/*.md")
    for path in CHECKOUT.glob(pattern)
)
MODULES = sorted([*CHECKOUT.glob("benchmarks/**/*.py"), *CHECKOUT.glob("scripts/**/*.py")])
MADE_BY_THE_SITE = {"reference/commands.md", "reference/settings.md"}  # scripts/reference.py, when the site is built
PROGRAM = re.compile(r"(?<![\w./-])(napari-ldseg|python|bash)[ ]+([^#|;&]+)")

pytestmark = pytest.mark.skipif(not PAGES, reason="installed from a wheel: there is no checkout around the package")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_benchmark_and_every_script_imports(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.parent.name == "robustness" and sys.platform == "win32":
        pytest.skip("measures memory with `resource`, which Windows has not")
    monkeypatch.syspath_prepend(str(CHECKOUT))
    module = importlib.import_module(module_name(path).removesuffix(".__init__"))
    assert module.__doc__


@pytest.mark.parametrize("folder", ["benchmarks", "scripts/datasets", "scripts/screenshots"])
def test_every_script_is_listed(folder: str) -> None:
    listed = (CHECKOUT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    scripts = [path for path in CHECKOUT.glob(f"{folder}/**/*.py") if "def main()" in path.read_text(encoding="utf-8")]
    assert scripts
    assert [path.name for path in scripts if f"`{path.name}`" not in listed] == []


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Programs and their arguments, in blocks of code and in code within lines."""
    blocks = re.findall(r"```.*?\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for code in [*blocks, *spans]:
        for line in code.replace("\\\n", " ").splitlines():
            for program, rest in PROGRAM.findall(line):
                yield program, re.findall(r"[^\s\"']+", rest)


def without_values(words: list[str]) -> list[str]:
    return [word.split("=")[0].rstrip(",.") for word in words if re.match(r"--[a-z]", word)]


def faults_of_ours(words: list[str]) -> Iterator[str]:
    """What a command line of ours names that does not exist."""
    command: Any = typer.main.get_command(app)
    for word in words:
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            break
        if word.startswith("-") or word == "...":
            continue
        if word.isupper():  # a placeholder, as in `napari-ldseg COMMAND --help`
            return
        if word not in subcommands:
            yield f"no subcommand {word}"
            return
        command = subcommands[word]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    yield from (f"no option {option}" for option in without_values(words) if option not in {*known, "--help"})


def faults_of_python(words: list[str]) -> Iterator[str]:
    """What a call of a script or a module of the checkout names that does not exist."""
    if words[0] == "-m" and words[1].partition(".")[0] in ("benchmarks", "scripts"):
        path = CHECKOUT / f"{words[1].replace('.', '/')}.py"
    elif words[0].endswith(".py"):
        path = CHECKOUT / words[0]
    else:
        return
    if "NAME" in path.name:  # a placeholder
        return
    if not path.is_file():
        yield f"no file {path.name}"
        return
    source = path.read_text(encoding="utf-8")
    yield from (f"no option {option}" for option in without_values(words) if f'"{option}"' not in source)


def missing_models(words: list[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("models/") and not re.search(r"NAME|\.\.\.", word) and not any(CHECKOUT.glob(word)):
            yield f"no {word}"


def faults(text: str) -> list[str]:
    found = []
    for program, words in commands(text):
        by_program = {"napari-ldseg": faults_of_ours, "python": faults_of_python}
        each = [*by_program[program](words)] if program in by_program else []
        if program == "bash" and words[0].endswith(".sh") and not (CHECKOUT / words[0]).is_file():
            each.append(f"no file {words[0]}")
        found += [f"{program} {' '.join(words)}: {fault}" for fault in (*each, *missing_models(words))]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_quoted_command_exists(page: Path) -> None:
    assert faults(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = {link for link in links if not (page.parent / link).exists()}
    assert missing - MADE_BY_THE_SITE == set()


def test_commands_that_do_not_exist_are_found() -> None:
    text = "`napari-ldseg segmant x`, `napari-ldseg segment x --sample 3`\n```bash\npython -m benchmarks.nothing.here\n"
    text += "napari-ldseg train --images D \\\n    --labells D\npython scripts/datasets/knee_phantoms.py --cuont 3\n```"
    assert [fault.rpartition(": ")[2] for fault in faults(text)] == [
        "no file here.py",
        "no option --labells",
        "no option --cuont",
        "no subcommand segmant",
        "no option --sample",
    ]


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something within one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_file_and_every_name_of_python_in_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    ending = r"(?:py|md|json|safetensors|sh|png|svg)\b"
    paths = re.findall(rf"(?<![\w/.-])((?:src|docs|benchmarks|scripts|models)/[\w./-]+\.{ending})", text)
    assert [path for path in paths if "NAME" not in path and not (CHECKOUT / path).exists()] == []
    tests = {path.name for path in CHECKOUT.glob("src/**/test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py\b", text)) <= tests
    names = re.findall(r"napari_ldseg(?:\.\w+)+", text)
    for module, imported in re.findall(r"from (napari_ldseg[\w.]*) import ([\w, ]+)", text):
        names += [f"{module}.{name.strip()}" for name in imported.split(",")]
    assert [name for name in names if not resolves(name)] == []


def test_the_pages_that_are_made_from_the_code_name_commands_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CHECKOUT))
    reference = importlib.import_module("scripts.reference")
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    reference.main()
    assert "napari-ldseg segment" in (tmp_path / "reference" / "commands.md").read_text(encoding="utf-8")
    settings = (tmp_path / "reference" / "settings.md").read_text(encoding="utf-8")
    assert "## SegmentConfig" in settings
    assert "`--samples`" in settings
