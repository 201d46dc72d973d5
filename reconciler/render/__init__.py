"""Plans, results and findings as text, markdown, and GitHub's workflow commands. Values in, text out.

Everything from a server or a manifest is escaped by `domain.safe`. Reads no file and
knows no importer and no lint.
"""

__all__ = [
    "coverage",
    "effects",
    "explain",
    "findings",
    "github",
    "imported",
    "listing",
    "markdown",
    "needed",
    "outcomes",
    "routing",
    "switched",
    "tested",
    "text",
    "unified",
    "updated",
    "values",
    "warnings",
]
