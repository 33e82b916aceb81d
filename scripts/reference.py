"""Write the pages of the reference that are made from the code: commands (from Typer) and settings (from config).

python scripts/reference.py
"""

import subprocess
import sys
from pathlib import Path

from napari_ldseg import config
from napari_ldseg.config import Config, Setting, settings_of

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"


def main() -> None:
    """Write both."""
    FOLDER.mkdir(exist_ok=True)
    typer = [sys.executable, "-m", "typer", "napari_ldseg.cli._app", "utils", "docs", "--name", "napari-ldseg"]
    text = subprocess.run([*typer, "--title", "Commands"], check=True, capture_output=True, text=True).stdout
    (FOLDER / "commands.md").write_text(text, encoding="utf-8")
    (FOLDER / "settings.md").write_text(settings(), encoding="utf-8")


def settings() -> str:
    """Return a page with a table for each class of settings."""
    lines = ["# Settings", "", "Each is a field in Python, a flag of the commands and, mostly, a row in the widgets."]
    for name, kind in sorted(vars(config).items()):
        rows = list(settings_of(kind)) if isinstance(kind, type) and issubclass(kind, Config) else []
        if rows:
            lines += ["", f"## {name}", "", "| field | flag | default | meaning |", "|---|---|---|---|"]
            lines += [row(one) for one in rows]
    return "\n".join(lines) + "\n"


def row(one: Setting) -> str:
    """Return one line of a table."""
    flags = ", ".join(f"`{flag}`" for flag in one.flags) or "-"
    default = one.absent if one.default is None else one.default
    return f"| `{one.name}` | {flags} | {default} | {one.description.replace('|', '/')} |"


if __name__ == "__main__":
    main()
