"""Whether the sample that `init` wrote is still as it was, so that an import may replace it. Reads files."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

from reconciler.domain.kinds import KINDS
from reconciler.setup.init import sample

_INSTANCE = re.compile(r"^instance: (\"(?:[^\"\\]|\\.)*\"|\S+) #", re.MULTILINE)


def untouched(bots: Path) -> tuple[Path, ...]:
    """The files of a sample that nobody has edited, the manifest first; none without one."""
    for path in sorted(bots.glob("*.yaml")) if bots.is_dir() else ():
        found = _INSTANCE.search(_text(path))
        if found is None:
            continue
        instance = json.loads(found[1]) if found[1].startswith('"') else found[1]
        for kind in KINDS.values():
            wanted = sample(instance, f"bots/{path.name}", kind)
            files = {bots / PurePosixPath(name).relative_to("bots"): said for name, said in wanted.items()}
            if all(_text(each).encode() == said for each, said in files.items()):
                return tuple(files)
    return ()


def _text(path: Path) -> str:
    """What a file says; "" where it is none."""
    try:
        return path.read_bytes().decode() if path.is_file() and not path.is_symlink() else ""
    except (OSError, UnicodeDecodeError):
        return ""
