#!/usr/bin/env -S python3 -I
"""What the workflows do on GitHub: keep one comment or issue, fetch reviewed plans, print text as text.

Uses only Python's standard library, so that no other code has to be trusted. Reads GITHUB_API_URL,
GITHUB_REPOSITORY and GITHUB_TOKEN from the environment, and texts from files. Sends the token only to the
API: redirects are not followed, except for the download of an artifact, which is made without the token. What
others wrote (comments, issues, plans) is compared and stored, never printed.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import io
import itertools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

BOT = "github-actions[bot]"
"""The author of what is written with a job's token. Texts of others are never edited."""

MAX_PLAN = 256 * 2**20
TRIES = 3
TIMEOUT = 30  # seconds
PATIENCE = 240
"""Seconds that one run waits in all when GitHub limits the rate of calls."""

SHORTEST = 8
"""Characters of the shortest value that is masked in logs."""

SECRETS = "RECONCILER_SECRETS"
"""The variable with all keys, `NAME=value` on each line."""

ROTATES = "rotate keys"
"""The run-name of a run of apply.yml that rotates keys and applies no plan."""

CANDIDATES = 50
"""The most commits of former applies that are looked up on the branch."""

Json = Any


class GithubError(Exception):
    """An error for a person, never with the token in it. status: of GitHub's answer, if there was one."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


# -- the API ------------------------------------------------------------------------------------


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **extra: Any) -> None:
        return None


_open = build_opener(_NoRedirects).open


class Api:
    """The REST API for one repository."""

    def __init__(self) -> None:
        try:
            self.url, self.repository = os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"]
            self._token = os.environ["GITHUB_TOKEN"]
            self._patience: float = PATIENCE
        except KeyError as missing:
            raise GithubError(f"{missing} is not set: add it to the env of this step.") from None

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """Call a path below the repository's. Returns the answer. Raises GithubError."""
        with self._answer(method, path, body) as answer:
            try:
                return json.load(answer)
            except (ValueError, RecursionError, OSError, HTTPException):
                raise GithubError(f"{_what(method, answer.url)} did not answer with complete JSON.") from None

    def pages(self, path: str, key: str | None = None, **query: str | int) -> Iterator[Json]:
        """Every item of a list, page after page. key: where the answer holds the list, if it is not one."""
        for page in range(1, 101):
            answer = self.call("GET", f"{path}?{urlencode({**query, 'per_page': 100, 'page': page})}")
            items = answer if key is None else answer[key]
            yield from items
            if len(items) < 100:
                return

    def artifact(self, number: int) -> bytes:
        """An artifact's zip. GitHub redirects to a storage, which must not see the token."""
        try:
            self._answer("GET", f"actions/artifacts/{number}/zip", redirects=True).close()
        except HTTPError as redirect:
            where = redirect.headers.get("Location", "")
            redirect.close()
        else:
            raise GithubError("GitHub did not say where the artifact is stored.")
        if urlsplit(where).scheme != urlsplit(self.url).scheme:  # https, wherever GitHub itself is
            raise GithubError("The address of the artifact's storage does not use the same scheme as GitHub.")
        with self._tries("GET", Request(where)) as answer:  # noqa: S310  the scheme is checked
            content: bytes = answer.read(MAX_PLAN + 1)
        if len(content) > MAX_PLAN:
            raise GithubError("The artifact is too large to be a plan.")
        return content

    def _answer(self, method: str, path: str, body: Json = None, *, redirects: bool = False) -> Any:
        request = Request(  # noqa: S310  GITHUB_API_URL is the runner's
            f"{self.url}/repos/{self.repository}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "User-Agent": "evolution-reconciler",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        return self._tries(method, request, redirects=redirects)

    def _tries(self, method: str, request: Request, *, redirects: bool = False) -> Any:
        """The answer. Retries a call that a rate limit refused; after another error, only a call that may be
        repeated, so no POST. Raises GithubError.
        """
        what = _what(method, request.full_url)
        failed = 0
        while True:
            try:
                return _open(request, timeout=TIMEOUT)
            except HTTPError as error:
                if redirects and error.code in {301, 302, 303, 307, 308}:
                    raise
                said = f"{what} answered {error.code}{_reason(error)}"
                pause = _pause(error, said)
                if pause is not None:
                    self._wait(pause, said)
                    continue
                if error.code not in {500, 502, 503, 504} or method == "POST" or failed == TRIES - 1:
                    raise GithubError(f"{said}.", error.code) from None
            except (OSError, HTTPException) as error:  # URLError is an OSError
                if method == "POST" or failed == TRIES - 1:
                    raise GithubError(f"{what} did not answer ({type(error).__name__}).") from None
            failed += 1
            time.sleep(2 ** (failed - 1))

    def _wait(self, pause: float, said: str) -> None:
        if pause > self._patience:
            raise GithubError(f"{said}, and asks to wait {pause:.0f} seconds. Run this job again after that.")
        self._patience -= pause
        time.sleep(pause)


def _what(method: str, url: str) -> str:
    return f"GitHub's API: {method} {urlsplit(url).path}"


def _pause(error: HTTPError, said: str) -> float | None:
    """The seconds to wait after a call that a rate limit refused; None for another error.

    A 403 that does not mention a limit is about permissions. Without a time GitHub's guide says a minute.
    """
    if error.code not in {403, 429}:
        return None
    after, reset = error.headers.get("Retry-After", ""), error.headers.get("X-RateLimit-Reset", "")
    if re.fullmatch("[0-9]{1,9}", after):
        return max(1.0, float(after))
    try:
        return max(1.0, (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        pass
    if error.headers.get("X-RateLimit-Remaining") == "0" and re.fullmatch("[0-9]{1,12}", reset):
        return max(1.0, float(reset) - time.time() + 1)
    return 60.0 if error.code == 429 or "rate limit" in said.lower() else None


def _reason(error: HTTPError) -> str:
    try:
        message = json.loads(error.read(10_000))["message"]
        return f" ({_printable(message[:200])})"
    except (ValueError, KeyError, TypeError, OSError):
        return ""
    finally:
        error.close()


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


# -- one comment, one issue ---------------------------------------------------------------------


def _marked(marker: str, text: Path) -> str:
    return f"<!-- reconciler-{marker} -->\n{text.read_text(encoding='utf-8')}"


def _ours(item: Json, marker: str) -> bool:
    """Whether it is ours: written by us, with the marker in the first line."""
    login = (item["user"] or {}).get("login")
    return bool(login == BOT and _lines(item)[:1] == [f"<!-- reconciler-{marker} -->"])


def _says(item: Json, body: str) -> bool:
    """Whether it has this text already."""
    return _lines(item) == body.strip().splitlines()


def _lines(item: Json) -> list[str]:
    """Its lines, however they end: an edit in the browser changes line endings and strips the text."""
    return (item["body"] or "").strip().splitlines()


def comment(api: Api, pulls: list[int], marker: str, text: Path, head: str | None) -> None:
    """Put a text into the one comment with this marker on each pull request; create it if it is missing.

    head: the commit that the text is about. On a pull request with a newer commit the comment is not changed,
    so that a slow or repeated run does not replace the comment of a newer one.
    """
    body = _marked(marker, text)
    for pull in pulls:
        if head and api.call("GET", f"pulls/{pull}")["head"]["sha"] != head:
            print(f"#{pull} has a newer commit: its comment was not changed.")
            continue
        found = next((c for c in api.pages(f"issues/{pull}/comments") if _ours(c, marker)), None)
        if found is None:
            api.call("POST", f"issues/{pull}/comments", {"body": body})
        elif not _says(found, body):
            api.call("PATCH", f"issues/comments/{found['id']}", {"body": body})


def issue(api: Api, marker: str, label: str, title: str, text: Path | None, close: str) -> None:
    """Keep one open issue with this marker: open or edit it with a text, close it without one.

    close: the comment when it is closed. An issue with the same text is not changed.
    """
    # GitHub ignores the case of a label's name, and somebody else may have made the label.
    known = next(
        (n for each in api.pages("labels") if (n := each["name"]).casefold() == label.casefold()), None
    )
    label = known or label
    found = next((i for i in api.pages("issues", state="open", labels=label) if _ours(i, marker)), None)
    if text is None:
        if found is not None:
            closed = {"state": "closed", "state_reason": "completed"}
            api.call("PATCH", f"issues/{found['number']}", closed)
            api.call("POST", f"issues/{found['number']}/comments", {"body": close})
        return
    body = _marked(marker, text)
    if found is None:
        if known is None:
            api.call("POST", "labels", {"name": label, "color": "d93f0b"})
        api.call("POST", "issues", {"title": title, "body": body, "labels": [label]})
    elif not _says(found, body):
        api.call("PATCH", f"issues/{found['number']}", {"body": body})


# -- the plans that were reviewed ---------------------------------------------------------------


def reviewed(api: Api, commit: str, branch: str, before: str, out: Path) -> None:
    """Fetch the plan of every pull request on bots/ that was merged since the last successful apply.

    Not only of this commit: of waiting runs GitHub keeps only the newest, and the next apply finishes a
    failed one. Writes OUT/NUMBER.json, and as outputs of the step the numbers of the merged pull requests
    (`pulls`) and of those with a plan (`plans`).
    """
    out.mkdir(parents=True, exist_ok=True)
    pulls: dict[int, Json] = {}
    for sha in _since_last_apply(api, commit, branch, before):
        for pull in api.pages(f"commits/{sha}/pulls"):
            base = pull["base"]
            if pull["merged_at"] and base["ref"] == branch and _name(base["repo"]) == api.repository:
                pulls[int(pull["number"])] = pull
    plans = [number for number, pull in sorted(pulls.items()) if _fetch(api, pull, out / f"{number}.json")]
    without = [number for number in sorted(set(pulls) - set(plans)) if _touches_bots(api, number)]
    for number in without:
        _command("warning", f"#{number} has no plan: none was made, or it has expired.")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        for name, numbers in (("pulls", sorted(plans + without)), ("plans", plans)):
            output.write(f"{name}={' '.join(map(str, numbers))}\n")


def _since_last_apply(api: Api, commit: str, branch: str, before: str) -> list[str]:
    """The branch's own commits, without those of merged branches, since the last successful apply.

    Raises GithubError when that apply was of a newer commit, which this run would revert.
    """
    last = _last_apply(api, branch) or before
    if not last.strip("0"):  # the branch's first push, or the first run, by hand
        return [commit]
    if _way(api, last, commit) not in {"ahead", "identical"}:
        raise GithubError(
            "A newer commit than this one was applied, or the branch was rewritten since the last apply, so "
            "this run would revert changes. Run the workflow by hand on the branch as it is now."
        )
    commits: dict[str, Json] = {}
    for page in range(1, 101):
        answer = api.call("GET", f"compare/{last}...{commit}?{urlencode({'per_page': 100, 'page': page})}")
        commits |= {each["sha"]: each for each in answer["commits"]}
        if len(answer["commits"]) < 100:
            break
    line, sha = [commit], commit
    while sha in commits and (sha := commits[sha]["parents"][0]["sha"]) in commits:
        line.append(sha)
    return line


def _last_apply(api: Api, branch: str) -> str | None:
    """The commit of the last successful apply; None where there was none.

    A branch of a fork, or a tag, may have the branch's name. So only runs of this repository count, of an
    event of apply.yml, whose commit is on the branch. A run that only rotated keys applied no plan.
    """
    lists = [
        api.pages(
            "actions/workflows/apply.yml/runs",
            key="workflow_runs",
            **{"branch": branch, "status": "success", "event": event},
        )
        for event in ("push", "workflow_dispatch")  # which no fork can start here
    ]
    runs = (
        run for run in heapq.merge(*lists, key=lambda run: -int(run["id"])) if _is_apply(api, run, branch)
    )
    tip = None
    for sha in itertools.islice(dict.fromkeys(run["head_sha"] for run in runs), CANDIDATES):
        tip = tip or api.call("GET", f"git/ref/heads/{quote(branch)}")["object"]["sha"]
        if sha == tip or _way(api, sha, tip) in {"ahead", "identical"}:
            return str(sha)
    return None


def _is_apply(api: Api, run: Json, branch: str) -> bool:
    return bool(
        run["event"] in {"push", "workflow_dispatch"}
        and not (run["event"] == "workflow_dispatch" and run.get("display_title") == ROTATES)
        and run["conclusion"] == "success"
        and run["head_branch"] == branch
        and run["path"].partition("@")[0] == ".github/workflows/apply.yml"
        and re.fullmatch("[0-9a-f]{40}", run["head_sha"])
        and _is_of(run, api.repository)
    )


def _is_of(run: Json, repository: str) -> bool:
    """Whether a run and its commit are of this repository. A deleted fork has no name."""
    return all(_name(run[which]) == repository for which in ("repository", "head_repository"))


def _name(repository: Json) -> str | None:
    """The name of a repository; None for one that was deleted."""
    return (repository or {}).get("full_name")


def _way(api: Api, base: str, head: str) -> str:
    """How head compares to base: ahead, behind, identical, diverged; gone if GitHub lacks one of them."""
    try:
        return str(api.call("GET", f"compare/{base}...{head}?{urlencode({'per_page': 1})}")["status"])
    except GithubError as error:
        if error.status in {404, 422}:
            return "gone"
        raise


def _fetch(api: Api, pull: Json, to: Path) -> bool:
    """Write the plan of a pull request's last commit. Returns whether there is a valid one."""
    head = pull["head"]
    if _name(head["repo"]) != api.repository:
        return False  # a fork, whose runs have no key and make no plan
    name = f"plan-{pull['number']}-{head['sha']}"
    found = api.pages("actions/artifacts", key="artifacts", name=name)
    for artifact in sorted(found, key=lambda each: int(each["id"]), reverse=True):
        if artifact["expired"] or artifact["name"] != name or not _may_be_of(artifact, head):
            continue
        run = _run(api, artifact["workflow_run"]["id"])
        if (
            run is not None
            and run["path"].partition("@")[0] == ".github/workflows/plan.yml"
            and run["event"] == "pull_request"
            and run["conclusion"] == "success"
            and run["head_sha"] == head["sha"]
            and run["head_branch"] == head["ref"]
            and _is_of(run, api.repository)
        ):
            try:
                to.write_bytes(_only_file(api.artifact(int(artifact["id"]))))
                _check(to)
            except GithubError as error:
                to.unlink(missing_ok=True)
                _command("warning", f"#{pull['number']} has a plan that was rejected: {error}")
            else:
                return True
    return False


def _may_be_of(artifact: Json, head: Json) -> bool:
    """Whether an artifact may be of a run of this repository for this commit, by what the list says of it.

    A fork can upload any number with any name, and to look up a run for each would use up the rate limit.
    """
    run = artifact["workflow_run"] or {}
    return bool(
        run.get("id")
        and run.get("head_sha", head["sha"]) == head["sha"]
        and run.get("head_branch", head["ref"]) == head["ref"]
        and run.get("head_repository_id") == run.get("repository_id")
    )


def _run(api: Api, number: int) -> Json | None:
    """A run of a workflow; None if it was deleted."""
    try:
        return api.call("GET", f"actions/runs/{number}")
    except GithubError as error:
        if error.status in {404, 410}:
            return None
        raise


def _check(plan: Path) -> None:
    """Raises GithubError for a file that the installed reconciler does not accept as a plan."""
    env = {name: value for name, value in os.environ.items() if name != "GITHUB_TOKEN"}
    try:
        shown = subprocess.run(  # noqa: S603  what the action installed
            ["reconciler", "show", plan, "--format", "json"],  # noqa: S607  beside python3
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=env,
            check=False,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        raise GithubError("it cannot be read in reasonable time.") from None
    if shown.returncode:
        why = _printable(" ".join(shown.stderr.decode(errors="replace").split()))
        raise GithubError(why[:500].removeprefix("Error: ") or "it cannot be read.")
    if json.loads(plan.read_bytes())["format"] != "evolution-reconciler/plan":
        raise GithubError("it is not a plan.")  # the results of an apply are shown too


def _touches_bots(api: Api, number: int) -> bool:
    names = (
        file.get(name, "")
        for file in api.pages(f"pulls/{number}/files")
        for name in ("filename", "previous_filename")
    )
    return any(name.startswith(f"{os.environ.get('BOTS', 'bots')}/") for name in names)


def _only_file(content: bytes) -> bytes:
    """The plan.json in a zip, read in memory: no name in the zip is used as a path."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open("plan.json") as member:
            plan = member.read(MAX_PLAN + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, LookupError, ValueError, RuntimeError):
        raise GithubError("The plan's artifact is not a zip with a plan.json in it.") from None
    if len(plan) > MAX_PLAN:
        raise GithubError("The plan in the artifact is too large.")
    return plan


# -- the log ------------------------------------------------------------------------------------


def inert(command: list[str]) -> int:
    """Run a command and print its output as text only. Returns its exit status.

    The runner obeys lines such as `::add-mask::…`, and a prompt may contain one. So the runner is told to
    obey nothing until it reads a secret word. Cancelling a job signals only this process, so the first signal
    is passed on; the runner's second one comes too soon to be useful.

    RECONCILER_SECRETS becomes the command's stdin, for `--env-file -`, and is not in its environment. The
    runner masks it as a whole and line by line, so it is told to mask each value in it too.
    """
    env = dict(os.environ)
    keys = env.pop(SECRETS, "")
    for value in _values(keys):
        _command("add-mask", value)
    word = secrets.token_hex(32)
    print(f"::stop-commands::{word}", flush=True)
    given: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": env}
    try:
        with subprocess.Popen(command, **given) as child:  # noqa: S603  the workflow's own

            def hand_on(number: int, frame: object) -> None:
                for each in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(each, signal.SIG_IGN)
                child.send_signal(number)

            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, hand_on)
            assert child.stdin is not None  # noqa: S101  for mypy
            with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
                stdin.write(keys.encode())
            status = child.wait()
    finally:
        print(f"\n::{word}::", flush=True)
    return status if status >= 0 else 128 - status


def _values(keys: str) -> list[str]:
    """What may be a value in lines of `NAME=value`, with and without its quotes; if in doubt more.

    Of a value of several lines each line. What is shorter than any key would be masked inside of words.
    """
    found: dict[str, None] = {}
    for line in keys.splitlines():
        if line.lstrip().startswith("#"):
            continue
        text = re.sub(r"^\s*(?:export\s+)?[A-Za-z_]\w*\s*=", "", line).strip()
        for each in (text, text.partition(" #")[0].strip(), *re.split("[\"']", text)):
            if len(each) >= SHORTEST:
                found[each] = None
    return list(found)


def _command(kind: str, message: str) -> None:
    """Print a message for the page of the run."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::{kind}::{escaped}", flush=True)


# -- the command line ---------------------------------------------------------------------------


def _sha(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", text):
        raise argparse.ArgumentTypeError("not a commit's sha")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of = commands.add_parser("comment", help="keep one comment on pull requests")
    of.add_argument("--pull", type=int, nargs="*", default=[], metavar="N")
    of.add_argument("--head", type=_sha, metavar="SHA", help="only while this is the pull request's commit")
    of.add_argument("--marker", required=True)
    of.add_argument("--text", type=Path, required=True, metavar="FILE")
    of = commands.add_parser("issue", help="open, edit or close one issue")
    of.add_argument("--marker", required=True)
    of.add_argument("--label", required=True)
    of.add_argument("--title", default="")
    what = of.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE")
    what.add_argument("--close", default="", metavar="TEXT")
    of = commands.add_parser("reviewed", help="fetch the plans of what was merged")
    of.add_argument("--commit", type=_sha, required=True, metavar="SHA")
    of.add_argument("--branch", required=True)
    of.add_argument("--before", type=_sha, default="0" * 40, metavar="SHA")
    of.add_argument("--out", type=Path, required=True, metavar="DIR")
    of = commands.add_parser("inert", help="run a command and print its output as text only")
    of.add_argument("argv", nargs=argparse.REMAINDER)
    return parser


def main() -> int:
    """Run a command. Returns 0, the exit status of what was run, or 1 after an error."""
    given = _parser().parse_args()
    try:
        match given.command:
            case "inert":
                return inert(given.argv)
            case "comment":
                comment(Api(), given.pull, given.marker, given.text, given.head)
            case "issue":
                issue(Api(), given.marker, given.label, given.title, given.text, given.close)
            case "reviewed":
                reviewed(Api(), given.commit, given.branch, given.before, given.out)
    except (GithubError, OSError, HTTPException) as error:
        _command("error", str(error))
        return 1
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:  # its answers are read as documented
        said = f"GitHub's API did not answer as documented ({type(error).__name__})"
        _command("error", f"{said}: run this job again.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
