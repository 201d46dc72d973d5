"""A wheel of the code that runs here, which the workflows install.

The same version makes the same bytes on every machine. So nothing is compressed, files have no times, and the
metadata, which a build tool would write, are written here: no more than pip needs.
"""

from __future__ import annotations

import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from io import BytesIO

from reconciler.domain.errors import ReconcilerError
from reconciler.setup.shipped import PACKAGE, SHIPPED, shipped


def build() -> tuple[str, bytes]:
    """The wheel's name and content. Raises ReconcilerError where the tool is not installed."""
    try:
        installed = distribution("evolution-reconciler")
    except PackageNotFoundError:
        raise ReconcilerError(
            "the workflows need a wheel of this tool, which is not installed: install it, or pass "
            "--no-workflows."
        ) from None
    info = f"evolution_reconciler-{installed.version}.dist-info"
    files = {
        f"reconciler/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {f"reconciler/setup/templates/{name}": shipped(name) for name in SHIPPED}
    needed = sorted(each for each in installed.requires or () if "extra ==" not in each)
    about = ["Metadata-Version: 2.1", "Name: evolution-reconciler", f"Version: {installed.version}"]
    about += [f"Requires-Python: {installed.metadata['Requires-Python']}"]
    about += [f"Requires-Dist: {each}" for each in needed]
    files[f"{info}/METADATA"] = "".join(f"{line}\n" for line in about).encode()
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\nreconciler = {_script(installed)}\n".encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: reconciler init\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files = dict(sorted(files.items()))
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)  # of 1980, always
            member.create_system = 3  # Unix, on Windows too
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return f"evolution_reconciler-{installed.version}-py3-none-any.whl", packed.getvalue()


def _script(installed: Distribution) -> str:
    """What the command `reconciler` calls: MODULE:FUNCTION."""
    [script] = installed.entry_points.select(group="console_scripts", name="reconciler")
    return script.value


def _record(files: Mapping[str, bytes], itself: str) -> bytes:
    lines = []
    for name, content in files.items():
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{itself},,\n"]).encode()
