"""How Sphinx builds the site: `.ci/docs`."""

import re

import click
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from reconciler import __version__

project = "evolution-reconciler"
author = "the authors of evolution-reconciler"
release = __version__
extensions = ["myst_parser", "sphinx_click"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 4
"""Links may end in a heading, as on GitHub; one that is not there is an error."""

man_pages = [
    ("reference/help", "reconciler", "keep the bots of an Evolution API server as declared", [author], 1)
]


def globs(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """A star in a help text is a star."""
    lines[:] = [re.sub(r"(?<!\*)\*(?!\*)", r"\\*", line) for line in lines]


def setup(app: Sphinx) -> None:
    """GitHub draws diagrams of mermaid; here they are text."""
    app.add_lexer("mermaid", TextLexer)
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", globs)
