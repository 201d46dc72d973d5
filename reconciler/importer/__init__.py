"""From the server to manifests: `import` (run), and `import --update` (updater).

Reads the server and never writes to it. New manifests are loaded and planned before they are kept.
"""

__all__ = ["run", "updater"]
