"""Scaffolds a repository for bots: a manifest, a prompt, and on request the review on GitHub or GitLab.

Changes no existing file, follows no link, and writes nothing outside the directory, except for the files
that GitHub and GitLab read only at the top of a repository. GitHub's workflows and their action are this
project's own files, with the branch and the path filled in. What runs there installs the wheel beside it,
which is built from the code that runs here. So the repository needs no other source of the tool, and a new
version is a commit to review.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from reconciler.domain import files, links
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import DEFAULT, Kind
from reconciler.domain.records import dataclass
from reconciler.domain.servers import ServerSettings
from reconciler.manifests import git, schema
from reconciler.setup import gh, starter, wheel
from reconciler.setup import shards as sharded
from reconciler.setup.shipped import ACTION, GITLAB, SHIPPED, TEMPLATES, shipped

SAMPLE = "minha-loja"
"""The default instance of the sample manifest."""

CONFIG = "reconciler.toml"

_OWNER, _LONGEST_OWNER = "gitops", 32
"""The owner that commands use by default, and the characters that an owner may have."""

_LONGEST = 200
"""Characters of an instance's name, so that its credential's name may be longer."""


@dataclass(frozen=True, slots=True)
class Forge:
    """The files for GitHub or GitLab. name: github or gitlab. top: of the repository.

    branch: that is applied. sha256: of the wheel. other: a sentence about another wheel that exists and was
    not changed.
    """

    name: str
    top: Path
    branch: str
    sha256: str
    other: str | None


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What init did.

    written, kept: paths from the directory. sample: the sample manifest's path, if any. secrets: the
    variables of the servers' addresses and keys.
    """

    directory: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    sample: str | None
    forge: Forge | None
    secrets: tuple[str, ...]


def scaffold(
    directory: Path,
    instance: str = SAMPLE,
    *,
    forge: str = "",
    branch: str | None = None,
    shards: int | None = None,
    kind: Kind = DEFAULT,
    servers: Sequence[ServerSettings] = (),
) -> Scaffold:
    """Write the files that do not exist. forge: github or gitlab, whose files are written too; "" for none.

    branch: the one that is applied there; by default git's. shards: in how many jobs the fleet is planned and
    applied there; None for one. kind: of the bots in the sample. servers: that reconciler.toml names.

    Writes no sample where bots/ has manifests, as plan would fail for an instance that does not exist.
    Raises ReconcilerError, before it writes anything, for an invalid name of an instance, for a branch, a
    path or a number of shards that a workflow cannot have, and for a path with a link in it.
    """
    links.check(directory)
    secrets = gh.secrets(servers)
    try:
        root = directory.resolve()
        made, shared = _forge(root, forge, branch, shards, secrets) if forge else (None, {})
        ours, sample = _wanted(root, instance, kind, made, secrets)
        places = [(root, name, content) for name, content in ours.items()]
        places += [(made.top, name, content) for name, content in shared.items() if made]
        problems = dict.fromkeys(said for base, name, _ in places if (said := _obstacle(base, name)))
        if problems:
            raise ReconcilerError("nothing was written:\n" + "\n".join(problems))
        names = _written(root, places)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        place, why = directory, str(error)
        if isinstance(error, OSError):  # of the working directory, if that is gone, it names no file
            place, why = error.filename or directory, str(error.strerror)
        raise ReconcilerError(f"{place} cannot be written: {why}.") from None
    written = tuple(name for name, new in names.items() if new)
    kept = tuple(name for name, new in names.items() if not new)
    return Scaffold(directory, written, kept, sample, made, secrets)


# -- what is written ---------------------------------------------------------------------------


def _wanted(
    root: Path, instance: str, kind: Kind, forge: Forge | None, secrets: Sequence[str]
) -> tuple[dict[str, bytes], str | None]:
    """The files of the directory by path, and the path of the sample manifest, if it is one of them."""
    path = f"bots/{_stem(instance)}.yaml"
    wanted = os.path.lexists(root / path) or not _has_manifests(root / "bots")
    files = sample(instance, path, kind) if wanted else {}
    config = (TEMPLATES / CONFIG).read_text(encoding="utf-8").replace('"gitops"', f'"{_owner(root)}"')
    return files | {CONFIG: config.encode()} | _project(forge, secrets), path if wanted else None


def _forge(
    root: Path, forge: str, branch: str | None, shards: int | None, secrets: tuple[str, ...]
) -> tuple[Forge, dict[str, bytes]]:
    """The files for GitHub or GitLab, by their paths from the top of the repository."""
    if shards is not None:
        sharded.check(shards, forge)
    top = git.top(root / "bots") or root
    branch = branch or git.branch(top)
    bots = (root.relative_to(top) / "bots").as_posix()
    for what, text in (("branch", branch), ("path", bots)):
        if not re.fullmatch(r"[\w][\w./-]*", text, re.ASCII):
            raise ReconcilerError(
                f"nothing was written: the {what} {text!r} cannot be used in workflows. Use only letters, "
                f"digits and ./_- or leave out --{forge}."
            )
    name, content = wheel.build()
    digest = sha256(content).hexdigest()
    place = ACTION if forge == "github" else GITLAB
    if forge == "github":
        files = _github(branch, bots, digest, shards, secrets)
    else:
        files = _gitlab(bots, digest, shards)
    other = _other(top, place, _INSTALLS[forge], name, digest)
    if other is None:
        files[f"{place}/{name}"] = content
    return Forge(forge, top, branch, digest, other), files


_INSTALLS = {"github": "action.yml", "gitlab": "install"}
"""The file that names the wheel's sha256."""


def _github(
    branch: str, bots: str, digest: str, shards: int | None, secrets: Sequence[str]
) -> dict[str, bytes]:
    files = {each: shipped(each) for each in SHIPPED}
    for each in SHIPPED:
        if each.startswith(".github/workflows/"):
            name = PurePosixPath(each).stem
            text = files[each].decode() if shards is None else sharded.workflow(name, shards)
            files[each] = _workflow(text, branch, bots, secrets)
    files[f"{ACTION}/action.yml"] = _naming(files[f"{ACTION}/action.yml"], digest)
    above = PurePosixPath(bots).parent.as_posix()
    for path in sorted((TEMPLATES / "github").rglob("*")):
        name = path.relative_to(TEMPLATES / "github").as_posix()
        if path.is_file() and name != "README.md":
            text = path.read_text(encoding="utf-8").replace("refs/heads/main", f"refs/heads/{branch}")
            if name == "CODEOWNERS" and above != ".":
                text = re.sub(r"^/(bots/|reconciler\.toml)", rf"/{above}/\1", text, flags=re.MULTILINE)
            files[f".github/{name}"] = text.encode()
    return files


def _gitlab(bots: str, digest: str, shards: int | None) -> dict[str, bytes]:
    """Without a branch, as GitLab says in each pipeline which one is the default, and without secrets."""
    there = TEMPLATES / "gitlab"
    pipeline = (there / "gitlab-ci.yml").read_text(encoding="utf-8")
    if shards is not None:
        pipeline = sharded.pipeline(pipeline, shards)
    pipeline = pipeline.replace("BOTS: bots", f"BOTS: {_plain(bots)}")
    if (above := PurePosixPath(bots).parent.as_posix()) != ".":
        pipeline = pipeline.replace("CONFIG: . #", f"CONFIG: {_plain(above)} #")
    pipeline = pipeline.replace("- bots/**/*", f"- {bots}/**/*")
    return {
        ".gitlab-ci.yml": pipeline.encode(),
        ".gitlab/merge_request_templates/Default.md": (there / "merge_request.md").read_bytes(),
        f"{GITLAB}/gitlab.py": (there / "gitlab.py").read_bytes(),
        f"{GITLAB}/install": _naming((there / "install").read_bytes(), digest),
        f"{GITLAB}/requirements.txt": shipped(f"{ACTION}/requirements.txt"),
    }


def _naming(text: bytes, digest: str) -> bytes:
    """What installs the wheel, with its sha256."""
    return re.sub(rb'(WHEEL_SHA256(?:: |=))""', rb'\1"' + digest.encode() + b'"', text)


def _workflow(text: str, branch: str, bots: str, secrets: Sequence[str]) -> bytes:
    """A workflow with its branch, the path of the manifests and the servers' secrets filled in."""
    text = re.sub(
        r"(?m)^( +)EVOLUTION_API_URL: .*\n +EVOLUTION_API_KEY: .*\n",
        lambda found: "".join(f"{found[1]}{name}: ${{{{ secrets.{name} }}}}\n" for name in secrets),
        text,
    )
    text = text.replace("branches: [main]", f"branches: [{_plain(branch)}]")
    text = text.replace("'refs/heads/main'", f"'refs/heads/{branch}'")
    text = text.replace("BOTS: bots", f"BOTS: {_plain(bots)}")
    if (above := PurePosixPath(bots).parent.as_posix()) != ".":
        text = text.replace("CONFIG: . #", f"CONFIG: {_plain(above)} #")
    return text.replace("paths: [bots/**]", f"paths: [{bots}/**]").encode()


def _other(top: Path, place: str, installs: str, name: str, digest: str) -> str | None:
    """A sentence about what is there and installs another wheel; None where there is none."""
    there = top / place
    wheels = {
        path.name: sha256(path.read_bytes()).hexdigest() if path.is_file() else "(no file)"
        for path in sorted(there.glob("*.whl"))
    }
    about = there / installs
    named = not about.is_file() or digest.encode() in about.read_bytes()
    if named and wheels in ({}, {name: digest}):
        return None
    found = "; ".join(f"{each} with the sha256 {its}" for each, its in wheels.items()) or "no wheel"
    return (
        f"{place} is of another version, or was edited ({found}), and was not changed. The wheel of this "
        f"version is {name} with the sha256 {digest}. To use it, remove {place}, run init again, "
        "and review the change as code."
    )


def sample(instance: str, manifest: str, kind: Kind) -> dict[str, bytes]:
    """The first manifest, at this path, and the texts that it includes."""
    found = starter.files(kind)
    text = found.pop("")
    text = re.sub(rf"\b{SAMPLE}(-openai)?\b", lambda found: _scalar(instance + (found[1] or "")), text)
    return {manifest: text.encode()} | {path: each.encode() for path, each in found.items()}


def _project(forge: Forge | None, secrets: Sequence[str]) -> dict[str, bytes]:
    about = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    if secrets != gh.SECRETS:
        keys = f"    export {secrets[0]}=…   # and so for each server of reconciler.toml\n"
        about = re.sub(r"(?m)(^    export EVOLUTION_API_.*\n)+", keys, about)
    if forge is not None:
        more = (TEMPLATES / forge.name / "README.md").read_text(encoding="utf-8")
        commands = "".join(f"    {step}\n" for step in gh.steps(forge.branch, secrets))
        about += more.replace("`main`", f"`{forge.branch}`").replace("COMMANDS\n", f"{commands}\n")
        about = about.replace("SERVER_SECRETS", gh.few([f"`{name}`" for name in secrets]))
    return {
        f"bots/{schema.FILE}": schema.document().encode(),
        "README.md": about.encode(),
        ".gitignore": (TEMPLATES / "gitignore").read_bytes(),
        ".vscode/settings.json": (TEMPLATES / "vscode.json").read_bytes(),
    }


def _owner(root: Path) -> str:
    """An owner named after the repository; where there are manifests, the default: they may be applied."""
    if _has_manifests(root / "bots"):
        return _OWNER
    name = git.name(root) if git.top(root / "bots") in (None, root) else root.name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    owner = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("._-")
    if owner and not owner[0].isalpha():
        owner = f"bots-{owner}"
    return owner[:_LONGEST_OWNER].rstrip("._-") or _OWNER


# -- names and paths ---------------------------------------------------------------------------


def _stem(instance: str) -> str:
    """The name of an instance's manifest without its extension. Raises ReconcilerError."""
    if not instance.strip() or len(instance) > _LONGEST or not instance.isprintable():
        raise ReconcilerError(
            f"the name of the instance is invalid: use 1 to {_LONGEST} printable characters."
        )
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", instance) and len(instance) <= 100:
        return instance
    return re.sub(r"[^a-z0-9]+", "-", instance.casefold()).strip("-")[:100] or "instance"


def _scalar(text: str) -> str:
    """The text as YAML, in quotes where it could be read as something else."""
    return text if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", text) else json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """The same for a name of letters, digits and ./_-."""
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return text if re.fullmatch(r"[a-z][a-z/-]*", text) and text not in words else json.dumps(text)


def _from(root: Path, path: Path) -> str:
    """The path from root."""
    return Path(os.path.relpath(path, root)).as_posix()


def _has_manifests(bots: Path) -> bool:
    return any(
        not name.startswith((".", "_")) and name.lower().endswith((".yaml", ".yml", ".json"))
        for _, _, names in os.walk(bots)
        for name in names
    )


def _obstacle(root: Path, name: str) -> str | None:
    """Why a file cannot be written at this path; None where it can, or exists."""
    file = PurePosixPath(name)
    for part in (*reversed(file.parents), file):
        path = root / part
        if path.is_symlink():
            return f"{part} is a link: remove it, or choose another directory"
        if part != file and path.exists() and not path.is_dir():
            return f"{'the target' if path == root else part} is not a directory: move it away"
        if part == file and path.exists() and not path.is_file():
            return f"{part} is not a file: move it away"
    return None


def _written(root: Path, places: Sequence[tuple[Path, str, bytes]]) -> dict[str, bool]:
    """Write the files that do not exist. Returns each path from root, and whether it was written.

    places: for each file a directory, the path from there, and the content. Raises ReconcilerError, OSError.
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
                raise ReconcilerError(f"{error}\nWritten before: {before}.") from None
        names[_from(root, path)] = missing
    return names
