"""The look that `validate` takes at each manifest, which the cache keeps."""

from __future__ import annotations

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.versions import Version
from reconciler.lint.found import encoded
from reconciler.manifests.known import Look


def look(server: Version) -> Look:
    """What the rules find in each instance, as `seen` takes it."""

    def made(instance: DesiredInstance) -> object:
        from reconciler.lint.run import examine  # noqa: PLC0415  slow to import

        return encoded(examine(instance, server))

    return Look(f"lint {server}", made)
