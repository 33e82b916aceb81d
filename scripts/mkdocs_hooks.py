"""Hooks of mkdocs: write the pages that come from the code, and lead links that leave docs/ to the repository."""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import reference

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((\.\./[^)#\s]+)")


def on_config(config: Any) -> Any:
    """Write the pages of the reference before the files are listed."""
    reference.main()
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Replace relative links out of docs/ by addresses; a target that is missing ends the build."""
    folder = posixpath.dirname(page.file.src_uri)

    def lead(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, found[1]))
        if target.startswith("docs/"):
            return found[0]
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {found[1]}, which is not there")
        kind = "raw" if target.endswith((".svg", ".png")) else "blob"
        return f"]({config['repo_url']}/{kind}/main/{target}"

    return LINK.sub(lead, markdown)
