"""Print a table of results and write it as Markdown, JSON and SVG."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from napari_ldseg._util import write_text
from napari_ldseg._version import __version__

from .evidence.figures import draw

Row = dict[str, object]
PAGE = 60


def publish(name: str, rows: list[Row], out: Path | None, facts: dict[str, object], seconds: float) -> None:
    """Print a table, write it as Markdown and as JSON (with its origin), and draw it."""
    text = table(rows) if len(rows) <= PAGE else ""
    print(f"\n{name}: {seconds:.0f} s\n\n{text or f'{len(rows)} rows'}", flush=True)  # noqa: T201
    if out is None:
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    origin = {"command": command(), "commit": commit.strip(), "version": __version__, **facts}
    everything = {**origin, "seconds": round(seconds), "rows": rows}
    write_text(out.with_suffix(".json"), json.dumps(everything, indent=1, default=float))
    draw(out.with_suffix(".json"))
    if text:
        write_text(out.with_suffix(".md"), f"{text}\n")


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown, without values that are lists."""
    heads = list(dict.fromkeys(key for row in rows for key in row if not isinstance(row[key], list)))
    cells = [[f"{row[h]:.3f}" if isinstance(row.get(h), float) else str(row.get(h, "")) for h in heads] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *cells])


def command() -> str:
    """Return the command line that runs this process."""
    spec = sys.modules["__main__"].__spec__
    script = ["-m", spec.name] if spec else sys.argv[:1]
    return shlex.join(["python", *script, *sys.argv[1:]])
