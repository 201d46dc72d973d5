"""The only place that runs git, and only to ask about commits.

The manifests are data, and a branch may commit a repository among them, with hooks. So git runs at the top
of the checkout around them, found by its `.git`, which no commit can contain. It never reads the work tree
or the index: no filter, attribute, hook, submodule or file monitor affects an answer, nor does a setting of
the user. The user's configuration is still read, for `safe.directory`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from reconciler.domain import links
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass

TIMEOUT = 60
"""Seconds after which a call of git is stopped."""

_OPTIONS = (
    "--no-pager",
    "--no-replace-objects",
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.abbrev=auto"),
    *("-c", f"core.hooksPath={os.devnull}"),
)
_PASSED = {
    *("HOME", "XDG_CONFIG_HOME", "SUDO_UID", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SYSTEMROOT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PROGRAMDATA", "TEMP", "TMP"),  # on Windows
}
"""Variables that git gets, besides GIT_CONFIG…: to start, and to find the user's configuration."""

_FIXED = {
    "LC_ALL": "C",  # git's errors are shown unchanged
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # Nothing that a partial clone lacks is fetched: that would run what the configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a commit has at a path. kind: `file`, `link` or `submodule`. id: of its content or commit."""

    kind: str
    id: str


class GitError(ReconcilerError):
    """Git has no answer, or cannot run. words: its message, as one line."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def top(directory: Path) -> Path | None:
    """The top of the checkout that a directory of manifests is in, without links; None outside of one.

    The search starts above the directory, as its contents are data; the directory itself comes last.
    """
    place = directory.resolve()
    for folder in (*place.parents, place):
        if links.is_top(folder):
            return folder
    return None


def commit(directory: Path) -> str | None:
    """The commit of the checkout that a directory of manifests is in; None where git cannot tell."""
    root = top(directory)
    if root is None:
        return None
    try:
        return resolve(root, "HEAD")
    except GitError:
        return None


def resolve(root: Path, name: str) -> str:
    """The commit that a branch, a tag or an abbreviation names. Raises GitError."""
    if not name or name.startswith("-") or not name.isprintable():
        raise GitError("a branch, a tag or a commit is needed")
    try:
        return _commit(run(root, "rev-parse", "--verify", f"{name}^{{commit}}"))
    except GitError as error:
        if "single revision" not in error.words:
            raise
    if name == "HEAD":
        raise GitError("the checkout has no commit yet")
    raise GitError(f"the checkout has no branch, tag or commit {name!r}")


def merge_base(root: Path, one: str, other: str) -> str:
    """The best common ancestor of two commits. Raises GitError."""
    return _commit(run(root, "merge-base", one, other))


def is_shallow(root: Path) -> bool:
    """Whether the checkout lacks a part of its history. Raises GitError."""
    return run(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def name(top: Path) -> str:
    """The name of a repository: of its remote `origin`, else of its directory."""
    url = next(iter(_ask(top, "config", "--get", "remote.origin.url")), "") if (top / ".git").exists() else ""
    last = re.split(r"[/:\\]", url.rstrip("/"))[-1].removesuffix(".git")
    return last if re.fullmatch(r"[\w.-]+", last) else top.name  # with an @ it may be a secret


def branch(top: Path) -> str:
    """The default branch of a repository, also of one that does not exist yet; `main` in doubt."""
    at = top if (top / ".git").exists() else Path(top.anchor)
    if named := _ask(at, "symbolic-ref", "refs/remotes/origin/HEAD"):
        return named[0].removeprefix("refs/remotes/origin/")
    known = _ask(at, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin")
    known = known or _ask(at, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
    usual = [*_ask(at, "config", "--get", "init.defaultBranch"), "main", "master", "develop", "trunk"]
    if not known:  # without a commit yet, or without a repository
        return (_ask(at, "symbolic-ref", "--short", "HEAD") or usual)[0]
    return next((each for each in usual if each in known), known[0])


def _ask(root: Path, *arguments: str) -> list[str]:
    """The lines that git answers; none where it has no answer."""
    try:
        return os.fsdecode(run(root, *arguments)).splitlines()
    except GitError:
        return []


def tree(root: Path, commit: str) -> dict[str, Entry]:
    """Everything in a commit, by the paths from the top. Raises GitError."""
    kinds = {"100": "file", "120": "link", "160": "submodule"}
    found = {}
    for line in run(root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, content = about.decode("ascii").split(" ")
        found[os.fsdecode(path)] = Entry(kinds[mode[:3]], content)
    return found


def contents(root: Path, ids: Iterable[str]) -> dict[str, bytes]:
    """The contents of files in the history, by their ids. Raises GitError."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    answer = run(root, "cat-file", "--batch", given="".join(f"{id}\n" for id in wanted).encode())
    found, at = {}, 0
    for id in wanted:
        head = answer[at : at + 100].partition(b"\n")[0]
        parts = head.split(b" ")
        if len(parts) != 3 or parts[1] != b"blob":
            raise GitError(f"the clone lacks the file {id[:12]}")
        start = at + len(head) + 1
        at = start + int(parts[2])
        found[id] = answer[start:at]
        at += 1
    return found


def last_changes(root: Path, folder: str, most: int) -> dict[str, str]:
    """The last commit, abbreviated, that changed each path below a folder, also of those that are gone.

    Looks at so many commits of the folder at most. The paths are from the top. Raises GitError.
    """
    short = _commits(root, folder, f"--max-count={most}")
    found: dict[str, str] = {}
    commit = ""
    parts = iter(_touched(root, short, folder, "--name-status", "-z").split(b"\0")[:-1])
    for part in parts:
        if (text := os.fsdecode(part)) in short:
            commit = short[text]
        else:  # a letter for what happened to the path that follows
            found.setdefault(os.fsdecode(next(parts)), commit)
    return found


def mentions(root: Path, folder: str, pattern: str) -> bool:
    """Whether a commit of the history added or removed a line below a folder that matches. Raises GitError.

    pattern: a POSIX extended regular expression.
    """
    return bool(_touched(root, _commits(root, folder), folder, "--name-only", "--text", f"-G{pattern}"))


# `git log` would be shorter, but obeys what users set for themselves: diff.orderFile, log.showRoot and more.


def _commits(root: Path, folder: str, *how: str) -> dict[str, str]:
    """The commits of HEAD that touch a folder, newest first, each with its abbreviation. Raises GitError."""
    how = (*how, "--encoding=UTF-8", "--format=%H %h", "HEAD", "--", _exactly(folder))
    lines = os.fsdecode(run(root, "rev-list", *how)).splitlines()
    return dict(line.split(" ") for line in lines if not line.startswith("commit "))


def _touched(root: Path, commits: Iterable[str], folder: str, *how: str) -> bytes:
    """What each commit changed below a folder: its id, then the paths. how: options of git diff-tree."""
    how = ("--root", "-r", "--no-renames", "--no-textconv", "--no-ext-diff", *how)
    given = "".join(f"{id}\n" for id in commits).encode()
    return run(root, "diff-tree", "--stdin", *how, "--", _exactly(folder), given=given)


def _exactly(folder: str) -> str:
    """The pathspec of a folder, from the top (`.`), whatever characters it has."""
    return f":(top,literal){'' if folder == '.' else folder}"


def run(root: Path, *arguments: str, timeout: float = TIMEOUT, given: bytes = b"") -> bytes:
    """The output of one git command at the top of a checkout. Raises GitError.

    timeout: in seconds. given: its input.
    """
    env = _environment(root)
    import shutil  # noqa: PLC0415  slow to import, and most plans need no git
    import subprocess  # noqa: PLC0415  likewise

    git = shutil.which("git", path=env["PATH"])
    if git is None or not Path(git).is_absolute():
        raise GitError("git is not installed")
    try:
        ended = subprocess.run(  # noqa: S603  no shell; the arguments are ours and checked
            [git, *_OPTIONS, *arguments],
            cwd=root,
            env=env,
            input=given,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not answer within {timeout:g} seconds") from None
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from None
    if ended.returncode:
        raise GitError(_words(ended.stderr))
    return ended.stdout


def _environment(root: Path) -> dict[str, str]:
    """The environment for git: without keys, and without the GIT_DIR of a hook that this may run in."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _PASSED or name.startswith("GIT_CONFIG")
    }
    # A relative path would be in the checkout.
    places = [
        each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(each).is_absolute()
    ]
    # The ceiling keeps git from looking further up, should the `.git` of the checkout not be one.
    return {**passed, **_FIXED, "PATH": os.pathsep.join(places), "GIT_CEILING_DIRECTORIES": str(root.parent)}


def _commit(answer: bytes) -> str:
    commit = answer.decode("ascii", errors="replace").strip()
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise GitError("that is not a commit")
    return commit


def _words(stderr: bytes) -> str:
    """Git's error message on one line; its last line may say what to do."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines()]
    lines = [re.sub("^(fatal|error|hint): *", "", line) for line in lines if not line.startswith("warning: ")]
    return " ".join(filter(None, lines))[:2000].rstrip(".")
