"""What ``mkdocs build`` needs besides ``mkdocs.yml``, which names this file as its hook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "build" / "api"  # mkdocs.yml names it as the place where mkdocstrings looks for the code
LINK = re.compile(r"\[([^]]*)\]\((\.\./[^)#]+)[^)]*\)")


def on_startup(**_: Any) -> None:
    """Lay the top-level folders out as the package ``inkstream``, as an installation does.

    mkdocstrings reads files and does not know how an editable installation maps them.
    """
    (API / "inkstream").mkdir(parents=True, exist_ok=True)
    for part in ROOT.glob("*/__init__.py"):
        link = API / "inkstream" / part.parent.name
        if not link.is_symlink():
            link.symlink_to(part.parent, target_is_directory=True)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Show links to files outside ``docs/``, which lead somewhere in the repository alone, as their text."""
    folder = Path(page.file.abs_src_path).parent

    def shown(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        return link[0] if target.is_relative_to(ROOT / "docs") or not target.exists() else link[1]

    return LINK.sub(shown, markdown)
