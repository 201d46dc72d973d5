"""From the server to manifests: `import` (run), `import --update` (updater), and `get`
(fragment).

Reads the server and never writes to it. New manifests are loaded and planned before they are kept.
"""

__all__ = ["fragment", "groups", "run", "updater"]
