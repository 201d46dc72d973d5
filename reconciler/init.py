"""Lays out a repository for somebody's bots: a manifest, a prompt, the workflows, and the tool that they run.

What is there already is left as it is, no link is followed, and nothing is written outside the directory.
The workflows and their action are this project's own files. The action installs the wheel that lies beside
it, which is made of the code that runs here: so the repository needs no other place to get the tool from,
and another version of the tool is a commit that somebody reviews.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path, PurePosixPath

from reconciler import schema
from reconciler.errors import ReconcilerError

SAMPLE = "minha-loja"
"""The instance that the sample manifest is about, unless another is named."""

SCHEMA = ".manifest.schema.json"
"""The schema's file beside the manifests, named in their first line. For its dot it is none of them."""

ACTION = ".github/actions/reconciler"
SHIPPED = (
    *(f".github/workflows/{name}.yml" for name in ("plan", "apply", "drift")),
    *(f"{ACTION}/{name}" for name in ("action.yml", "github.py", "requirements.txt")),
)
"""Files of this project that are laid out as they are. In the wheel they lie below templates/."""

_PACKAGE = Path(__file__).parent
_TEMPLATES = _PACKAGE / "templates"
_LONGEST = 200
"""Characters of an instance's name, so that there is room for more in the name of its credential."""


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What was done. written, kept: paths from the directory. sample: the manifest's path, None for none."""

    directory: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    sample: str | None
    workflows: bool


def lay_out(directory: Path, instance: str = SAMPLE, *, workflows: bool = True) -> LaidOut:
    """Write the files that are not there yet.

    The sample is left out where bots/ has other manifests: an instance that nobody has would be a problem.
    Raises ReconcilerError, before anything is written, for a name that no instance can have and for a path
    that leads elsewhere.
    """
    try:
        root = directory.resolve()
        files, sample = _wanted(root, instance, workflows=workflows)
        problems = dict.fromkeys(said for name in files if (said := _obstacle(root, name)))
        if problems:
            raise ReconcilerError("nothing was laid out:\n" + "\n".join(problems))
        written = tuple(name for name, content in files.items() if _write(root / name, content))
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        place, why = (error.filename, error.strerror) if isinstance(error, OSError) else (directory, error)
        raise ReconcilerError(f"{place} cannot be written: {why}.") from None
    kept = tuple(name for name in files if name not in written)
    return LaidOut(directory, written, kept, sample, workflows)


def shipped(name: str) -> bytes:
    """One of SHIPPED: from the wheel, or from the checkout that this runs in."""
    packed = _TEMPLATES / name
    return (packed if packed.is_file() else _PACKAGE.parent / name).read_bytes()


# -- what is laid out --------------------------------------------------------------------------


def _wanted(root: Path, instance: str, *, workflows: bool) -> tuple[dict[str, bytes], str | None]:
    """The files by their paths, and the sample manifest's among these."""
    sample = f"bots/{_stem(instance)}.yaml"
    wanted = os.path.lexists(root / sample) or not _has_manifests(root / "bots")
    files = _bots(instance, sample) if wanted else {}
    files |= _project(workflows=workflows)
    if workflows:
        files |= {name: shipped(name) for name in SHIPPED}
        if not any((root / ACTION).glob("*.whl")):
            name, content = wheel()
            files[f"{ACTION}/{name}"] = content
    return files, sample if wanted else None


def _bots(instance: str, manifest: str) -> dict[str, bytes]:
    text = (_TEMPLATES / "bots/instance.yaml").read_text(encoding="utf-8")
    text = re.sub(rf"\b{SAMPLE}(-openai)?\b", lambda found: _scalar(instance + (found[1] or "")), text)
    prompt = "bots/prompts/atendimento.md"
    return {manifest: text.encode(), prompt: (_TEMPLATES / prompt).read_bytes()}


def _project(*, workflows: bool) -> dict[str, bytes]:
    about = (_TEMPLATES / "README.md").read_bytes()
    return {
        f"bots/{SCHEMA}": schema.document().encode(),
        "README.md": about + (_TEMPLATES / "GITHUB.md").read_bytes() if workflows else about,
        ".gitignore": (_TEMPLATES / "gitignore").read_bytes(),
        ".vscode/settings.json": (_TEMPLATES / "vscode.json").read_bytes(),
    }


def wheel() -> tuple[str, bytes]:
    """The name and the content of a wheel of this tool: its own files, the same bytes each time."""
    try:
        installed = distribution("evolution-reconciler")
    except PackageNotFoundError:
        raise ReconcilerError(
            "the workflows need the tool itself, which is not installed here: install it, or leave them out "
            "with --no-workflows."
        ) from None
    info = f"evolution_reconciler-{installed.version}.dist-info"
    files = {
        f"reconciler/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes()
        for path in _PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {f"reconciler/templates/{name}": shipped(name) for name in SHIPPED}
    files |= {
        f"{info}/{name}": (installed.read_text(name) or "").encode()
        for name in ("METADATA", "entry_points.txt")
    }
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: reconciler init\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files = dict(sorted(files.items()))
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            about = zipfile.ZipInfo(name)  # of 1980, always
            about.external_attr = 0o644 << 16
            archive.writestr(about, content, zipfile.ZIP_DEFLATED)
    return f"evolution_reconciler-{installed.version}-py3-none-any.whl", packed.getvalue()


def _record(files: Mapping[str, bytes], itself: str) -> bytes:
    lines = []
    for name, content in files.items():
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{itself},,\n"]).encode()


# -- names and paths ---------------------------------------------------------------------------


def _stem(instance: str) -> str:
    """What the manifest of an instance is called, without its ending. Raises ReconcilerError."""
    if not instance.strip() or len(instance) > _LONGEST or not instance.isprintable():
        raise ReconcilerError(
            f"no instance can be laid out by this name: it has 1 to {_LONGEST} characters, all printable."
        )
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", instance) and len(instance) <= 100:
        return instance
    return re.sub(r"[^a-z0-9]+", "-", instance.casefold()).strip("-")[:100] or "instance"


def _scalar(text: str) -> str:
    """The text as YAML, plain where nothing could take it for anything else."""
    return text if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", text) else json.dumps(text, ensure_ascii=False)


def _has_manifests(bots: Path) -> bool:
    return any(
        not name.startswith((".", "_")) and name.lower().endswith((".yaml", ".yml", ".json"))
        for _, _, names in os.walk(bots)
        for name in names
    )


def _obstacle(root: Path, name: str) -> str | None:
    """Why a file cannot be written at this path, a sentence; None where it can, or is there already."""
    file = PurePosixPath(name)
    for part in (*reversed(file.parents), file):
        path = root / part
        if path.is_symlink():
            return f"{part} is a link: remove it, or lay out another directory"
        if part != file and path.exists() and not path.is_dir():
            return f"{'the directory to lay out' if path == root else part} is no directory: move it away"
        if part == file and path.exists() and not path.is_file():
            return f"{part} is no file: move it away"
    return None


def _write(path: Path, content: bytes) -> bool:
    """Whether the file was written, which it is where there is none."""
    if path.is_file():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:  # which never follows a link, nor overwrites
        file.write(content)
    return True
