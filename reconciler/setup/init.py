"""Lays out a repository for somebody's bots: a manifest, a prompt, the workflows, and the tool that they run.

What is there already is left as it is, no link is followed, and nothing is written outside the directory,
but for what GitHub reads at the top of a repository alone. The workflows and their action are this project's
own files, for the branch and the place at hand. The action installs the wheel that lies beside it, which is
made of the code that runs here: so the repository needs no other place to get the tool from, and another
version of the tool is a commit that somebody reviews.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path, PurePosixPath

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import git, schema

SAMPLE = "minha-loja"
"""The instance that the sample manifest is about, unless another is named."""

"""The schema's file beside the manifests, named in their first line. For its dot it is none of them."""

ACTION = ".github/actions/reconciler"
SHIPPED = (
    *(f".github/workflows/{name}.yml" for name in ("plan", "apply", "drift")),
    *(f"{ACTION}/{name}" for name in ("action.yml", "github.py", "requirements.txt")),
)
"""Files of this project that are laid out as they are. In the wheel they lie below templates/."""

_TEMPLATES = Path(__file__).parent / "templates"
_PACKAGE = _TEMPLATES.parent.parent
_LONGEST = 200
"""Characters of an instance's name, so that there is room for more in the name of its credential."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """What is for GitHub. top: of the repository. branch: whose workflows these are. sha256: of this wheel.

    other: a sentence about another wheel that was there before and was left alone.
    """

    top: Path
    branch: str
    sha256: str
    other: str | None


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was done. written, kept: paths from the directory. sample: the manifest's path, None for none."""

    directory: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    sample: str | None
    github: GitHub | None


def scaffold(
    directory: Path, instance: str = SAMPLE, *, workflows: bool = True, branch: str | None = None
) -> Scaffold:
    """Write the files that are not there yet. branch: the one to apply; by default what git says.

    The sample is left out where bots/ has other manifests: an instance that nobody has would be a problem.
    Raises ReconcilerError, before anything is written, for a name that no instance can have, for a branch or
    a place that no workflow can name, and for a path that leads elsewhere.
    """
    try:
        root = directory.resolve()
        github, shared = _github(root, branch) if workflows else (None, {})
        ours, sample = _wanted(root, instance, github)
        places = [(root, name, content) for name, content in ours.items()]
        places += [(github.top, name, content) for name, content in shared.items() if github]
        problems = dict.fromkeys(said for base, name, _ in places if (said := _obstacle(base, name)))
        if problems:
            raise ReconcilerError("nothing was laid out:\n" + "\n".join(problems))
        names = _written(root, places)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        place, why = (error.filename, error.strerror) if isinstance(error, OSError) else (directory, error)
        raise ReconcilerError(f"{place} cannot be written: {why}.") from None
    written = tuple(name for name, made in names.items() if made)
    kept = tuple(name for name, made in names.items() if not made)
    return Scaffold(directory, written, kept, sample, github)


def shipped(name: str) -> bytes:
    """One of SHIPPED: from the wheel, or from the checkout that this runs in."""
    packed = _TEMPLATES / name
    return (packed if packed.is_file() else _PACKAGE.parent / name).read_bytes()


# -- what is laid out --------------------------------------------------------------------------


def _wanted(root: Path, instance: str, github: GitHub | None) -> tuple[dict[str, bytes], str | None]:
    """The files of the directory by their paths, and the sample manifest's among these."""
    sample = f"bots/{_stem(instance)}.yaml"
    wanted = os.path.lexists(root / sample) or not _has_manifests(root / "bots")
    files = _bots(instance, sample) if wanted else {}
    return files | _project(github), sample if wanted else None


def _github(root: Path, branch: str | None) -> tuple[GitHub, dict[str, bytes]]:
    """What is for GitHub, and the files of that, by their paths from the top of the repository."""
    top = git.top(root / "bots") or root
    branch = branch or git.branch(top)
    bots = (root.relative_to(top) / "bots").as_posix()
    for what, text in (("branch", branch), ("path", bots)):
        if not re.fullmatch(r"[\w][\w./-]*", text, re.ASCII):
            raise ReconcilerError(
                f"nothing was laid out: workflows cannot name the {what} {text!r}. Take letters, digits and "
                "any of ./_- or leave the workflows out with --no-workflows."
            )
    name, content = wheel()
    digest = sha256(content).hexdigest()
    files = {each: shipped(each) for each in SHIPPED}
    for each in SHIPPED:
        if each.startswith(".github/workflows/"):
            files[each] = _workflow(files[each].decode(), branch, bots)
    files[f"{ACTION}/action.yml"] = files[f"{ACTION}/action.yml"].replace(
        b'WHEEL_SHA256: ""', f'WHEEL_SHA256: "{digest}"'.encode()
    )
    files[".github/dependabot.yml"] = (_TEMPLATES / "dependabot.yml").read_bytes()
    other = _other(top / ACTION, name, digest)
    if other is None:
        files[f"{ACTION}/{name}"] = content
    return GitHub(top, branch, digest, other), files


def _workflow(text: str, branch: str, bots: str) -> bytes:
    """A workflow for a branch, and for the path of the manifests from the top of the repository."""
    text = text.replace("branches: [main]", f"branches: [{_plain(branch)}]")
    text = text.replace("'refs/heads/main'", f"'refs/heads/{branch}'")
    text = text.replace("BOTS: bots", f"BOTS: {_plain(bots)}")
    return text.replace("paths: [bots/**]", f"paths: [{bots}/**]").encode()


def _other(action: Path, name: str, digest: str) -> str | None:
    """A sentence about an action that is there and installs another wheel; None where there is none."""
    wheels = {
        path.name: sha256(path.read_bytes()).hexdigest() if path.is_file() else "(no file)"
        for path in sorted(action.glob("*.whl"))
    }
    about = action / "action.yml"
    named = not about.is_file() or digest.encode() in about.read_bytes()
    if named and wheels in ({}, {name: digest}):
        return None
    found = "; ".join(f"{each} with the sha256 {its}" for each, its in wheels.items()) or "no wheel"
    return (
        f"{ACTION} is of another version, or was edited ({found}), and stays as it is. The wheel of this "
        f"version is {name} with the sha256 {digest}: for that, remove {ACTION} and run init again. "
        "Review it as code."
    )


def _bots(instance: str, manifest: str) -> dict[str, bytes]:
    text = (_TEMPLATES / "bots/instance.yaml").read_text(encoding="utf-8")
    text = re.sub(rf"\b{SAMPLE}(-openai)?\b", lambda found: _scalar(instance + (found[1] or "")), text)
    prompt = "bots/prompts/atendimento.md"
    return {manifest: text.encode(), prompt: (_TEMPLATES / prompt).read_bytes()}


def _project(github: GitHub | None) -> dict[str, bytes]:
    about = (_TEMPLATES / "README.md").read_bytes()
    if github is not None:
        more = (_TEMPLATES / "GITHUB.md").read_text(encoding="utf-8")
        about += more.replace("`main`", f"`{github.branch}`").encode()
    return {
        f"bots/{schema.FILE}": schema.document().encode(),
        "README.md": about,
        ".gitignore": (_TEMPLATES / "gitignore").read_bytes(),
        ".vscode/settings.json": (_TEMPLATES / "vscode.json").read_bytes(),
    }


def wheel() -> tuple[str, bytes]:
    """The name and the content of a wheel of this tool: its own files, the same bytes wherever it is made.

    So it is not compressed, and the metadata are no builder's: what pip needs, in words of our own.
    """
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
    files |= {f"reconciler/setup/templates/{name}": shipped(name) for name in SHIPPED}
    needed = sorted(each for each in installed.requires or () if "extra ==" not in each)
    about = ["Metadata-Version: 2.1", "Name: evolution-reconciler", f"Version: {installed.version}"]
    about += [f"Requires-Python: {installed.metadata['Requires-Python']}"]
    about += [f"Requires-Dist: {each}" for each in needed]
    files[f"{info}/METADATA"] = "".join(f"{line}\n" for line in about).encode()
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nreconciler = reconciler.cli:main\n"
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


def _plain(text: str) -> str:
    """A name of letters, digits and ./_- as YAML, in quotes where it could be taken for something else."""
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return text if re.fullmatch(r"[a-z][a-z/-]*", text) and text not in words else json.dumps(text)


def _from(root: Path, path: Path) -> str:
    """The path as it is written in the directory."""
    return Path(os.path.relpath(path, root)).as_posix()


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


def _written(root: Path, places: Sequence[tuple[Path, str, bytes]]) -> dict[str, bool]:
    """Write the files that are not there yet. Returns their paths from root, and whether they were written.

    places: of each file the directory that it lies below, its path from there, and its content. Raises
    ReconcilerError, OSError.
    """
    root.mkdir(parents=True, exist_ok=True)
    names: dict[str, bool] = {}
    for base, name, content in places:
        path = base / name
        missing = not path.is_file()
        if missing:
            try:
                files.folders(path.parent, below=base)
                files.create(path, content)
            except ReconcilerError as error:
                before = ", ".join(name for name, made in names.items() if made) or "nothing"
                raise ReconcilerError(f"{error}\nWritten before it: {before}.") from None
        names[_from(root, path)] = missing
    return names
