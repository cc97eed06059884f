"""MkDocs hooks: pages from files outside `docs/`, and links that hold in the repository and here.

Links in the Markdown files are relative to the file, so that they work wherever the repository is
browsed. In the site a link to another page leads to that page; a link to any other file of the
repository, which the site does not contain, becomes its text. A link to a file that does not exist
is left as it is, and the strict build fails on it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files outside `docs/` and the pages made from them."""
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files outside `docs/`."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Translate the links of a page from places in the repository to places in the site."""
    uri = page.file.src_uri
    origin = next((source for source, made in PAGES.items() if made == uri), f"docs/{uri}")
    return _LINK.sub(lambda link: _translated(link, origin, uri), markdown)


def _translated(link: re.Match[str], origin: str, uri: str) -> str:
    target = link["target"]
    if "://" in target or target.startswith("mailto:"):
        return link[0]
    path = os.path.normpath(Path(origin).parent / target)
    if path in PAGES:
        place = PAGES[path]
    elif path.startswith("docs/"):
        place = path.removeprefix("docs/")
    else:
        return link["text"] if (ROOT / path).exists() else link[0]
    relative = os.path.relpath(place, Path(uri).parent)
    return f"{link['image']}[{link['text']}]({relative}{link['anchor'] or ''})"
