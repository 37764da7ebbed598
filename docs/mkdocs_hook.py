"""Has MkDocs build its pages from the whole project, so that links lead the same way here and in the site."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]
SHOWN: Final = ("*.md", "docs/*.md", "docs/*.svg", "manifests/**/*", "benchmarks/*.py")
"""Pages, README.md the first, and the files that they link to or show."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the files of the project, under their paths there, instead of those of `docs`."""
    own = [file for file in files if file.src_dir == config.docs_dir]
    for file in own:
        files.remove(file)
    for path in sorted(path for pattern in SHOWN for path in ROOT.glob(pattern) if path.is_file()):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files
