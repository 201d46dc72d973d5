#!/usr/bin/env -S python3 -I
"""What the workflows need of GitHub: one comment, one issue, the reviewed plans, and a log that obeys nobody.

Python's standard library alone, so that nothing has to be trusted beyond this file. It reads
GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN from the environment; texts come from files. The token is
sent to the API and nowhere else: redirects are not followed, and the one that an artifact's download needs
is followed without it. What was written by others (comments, issues, plans) is compared and stored here,
never printed.
"""

from __future__ import annotations

import argparse
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
"""Who comments and opens issues with a job's own token. Nobody else's texts are ever edited."""

MAX_PLAN = 256 * 2**20
TRIES = 3
TIMEOUT = 30  # seconds
PATIENCE = 240
"""Seconds that one run of this waits in all, where GitHub says that it has had too many calls."""

CANDIDATES = 50
"""Commits of former applies that are looked for on the branch; an older one is not the last."""

Json = Any


class GithubError(Exception):
    """A sentence for the person. Never with the token in it. status: what GitHub answered, if it did."""

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
            raise GithubError(f"{missing} is not in the environment: give it to this step.") from None

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """One call below the repository's path: what it answers. Raises GithubError."""
        with self._answer(method, path, body) as answer:
            try:
                return json.load(answer)
            except (ValueError, RecursionError, OSError, HTTPException):
                raise GithubError(f"{_what(method, answer.url)} answered no JSON, or a part of it.") from None

    def pages(self, path: str, key: str | None = None, **query: str | int) -> Iterator[Json]:
        """Every item of a list, page after page. key: where the answer holds the list, if it is not one."""
        for page in range(1, 101):
            answer = self.call("GET", f"{path}?{urlencode({**query, 'per_page': 100, 'page': page})}")
            items = answer if key is None else answer[key]
            yield from items
            if len(items) < 100:
                return

    def artifact(self, number: int) -> bytes:
        """An artifact's zip. GitHub sends its readers on to a storage, which must not see the token."""
        try:
            self._answer("GET", f"actions/artifacts/{number}/zip", redirects=True).close()
        except HTTPError as redirect:
            where = redirect.headers.get("Location", "")
            redirect.close()
        else:
            raise GithubError("GitHub did not say where the artifact is stored.")
        if urlsplit(where).scheme != urlsplit(self.url).scheme:  # https, wherever GitHub itself is
            raise GithubError("The artifact's storage is not reached as safely as GitHub is.")
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
        """The answer. What GitHub did not do for too many calls is tried again, whatever it is; what it may
        have done only where that does no harm, so no POST. Raises GithubError.
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
            raise GithubError(f"{said}, and asks to wait {pause:.0f} seconds. Run this job again then.")
        self._patience -= pause
        time.sleep(pause)


def _what(method: str, url: str) -> str:
    return f"GitHub's API: {method} {urlsplit(url).path}"


def _pause(error: HTTPError, said: str) -> float | None:
    """How many seconds GitHub asks to wait, having done nothing, for too many calls; None where it does not.

    A 403 without a word of that is one of permissions. Without a time it is a minute, as GitHub's guide says.
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
    """Whether we wrote it: by us, and the marker where only the author of the whole text can put it."""
    login = (item["user"] or {}).get("login")
    return bool(login == BOT and _lines(item)[:1] == [f"<!-- reconciler-{marker} -->"])


def _says(item: Json, body: str) -> bool:
    """Whether it says that already."""
    return _lines(item) == body.strip().splitlines()


def _lines(item: Json) -> list[str]:
    """What it says, line by line: who edits a text in the browser leaves CRLF, and takes ends away."""
    return (item["body"] or "").strip().splitlines()


def comment(api: Api, pulls: list[int], marker: str, text: Path, head: str | None) -> None:
    """Puts a text into the one comment with this marker on each pull request, made where it is missing.

    head: the commit that the text is about. A pull request that has moved on keeps what it has, lest a slow
    or repeated run hides a newer one's comment.
    """
    body = _marked(marker, text)
    for pull in pulls:
        if head and api.call("GET", f"pulls/{pull}")["head"]["sha"] != head:
            print(f"#{pull} has a newer commit: its comment is left alone.")
            continue
        found = next((c for c in api.pages(f"issues/{pull}/comments") if _ours(c, marker)), None)
        if found is None:
            api.call("POST", f"issues/{pull}/comments", {"body": body})
        elif not _says(found, body):
            api.call("PATCH", f"issues/comments/{found['id']}", {"body": body})


def issue(api: Api, marker: str, label: str, title: str, text: Path | None, close: str) -> None:
    """Keeps the one open issue with this marker: opened or edited to say the text, closed without one.

    close: what a comment says then. An issue that says the text already is not touched.
    """
    # GitHub has one label of a name, however it is written, and made by whomever.
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
    """Fetches the plan of every pull request on bots/ that was merged since the last apply that went well.

    More than the one of this commit: of runs that wait for each other GitHub may drop all but the newest,
    and a failed one is made good by the next. Writes OUT/NUMBER.json, and as outputs of the step the
    numbers: `pulls` that were merged, `plans` of them that have a plan here.
    """
    out.mkdir(parents=True, exist_ok=True)
    pulls: dict[int, Json] = {}
    for sha in _since_last_apply(api, commit, branch, before):
        for pull in api.pages(f"commits/{sha}/pulls"):
            if pull["merged_at"] and pull["base"]["ref"] == branch:
                pulls[int(pull["number"])] = pull
    plans = [number for number, pull in sorted(pulls.items()) if _fetch(api, pull, out / f"{number}.json")]
    without = [number for number in sorted(set(pulls) - set(plans)) if _touches_bots(api, number)]
    for number in without:
        _command("warning", f"#{number} has no plan to go by: none was made, or it has expired.")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        for name, numbers in (("pulls", sorted(plans + without)), ("plans", plans)):
            output.write(f"{name}={' '.join(map(str, numbers))}\n")


def _since_last_apply(api: Api, commit: str, branch: str, before: str) -> list[str]:
    """The commits of the branch itself, without those of merged branches, after the last good apply.

    Raises GithubError when that apply was of a newer commit: this one would turn back what it did.
    """
    last = _last_apply(api, branch) or before
    if not last.strip("0"):  # the branch's first push, or the first run, by hand
        return [commit]
    if _way(api, last, commit) not in {"ahead", "identical"}:
        raise GithubError(
            "A newer commit than this one was applied, or the branch was rewritten since the last apply. "
            "This run would go back. Run the workflow by hand on the branch as it is now."
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
    """The commit of the last good apply; None where there was none.

    A fork may have a branch of that name, and a tag may have it too, so only what can be an apply counts: a
    run of this repository, of an event that apply.yml has, whose commit is on the branch.
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
        and run["conclusion"] == "success"
        and run["head_branch"] == branch
        and run["path"].partition("@")[0] == ".github/workflows/apply.yml"
        and re.fullmatch("[0-9a-f]{40}", run["head_sha"])
        and _is_of(run, api.repository)
    )


def _is_of(run: Json, repository: str) -> bool:
    """Whether a run is this repository's, and its commit too; a fork that is gone has no name."""
    return all(
        (run[which] or {}).get("full_name") == repository for which in ("repository", "head_repository")
    )


def _way(api: Api, base: str, head: str) -> str:
    """How head stands to base: ahead, behind, identical, diverged; gone, where GitHub has one no more."""
    try:
        return str(api.call("GET", f"compare/{base}...{head}?{urlencode({'per_page': 1})}")["status"])
    except GithubError as error:
        if error.status in {404, 422}:
            return "gone"
        raise


def _fetch(api: Api, pull: Json, to: Path) -> bool:
    """Writes the plan of a pull request's last commit; whether there is one that can be believed."""
    head = pull["head"]
    if not head["repo"] or head["repo"]["full_name"] != api.repository:
        return False  # of a fork, whose runs have no key and make no such plan
    name = f"plan-{pull['number']}-{head['sha']}"
    found = api.pages("actions/artifacts", key="artifacts", name=name)
    for artifact in sorted(found, key=lambda each: int(each["id"]), reverse=True):
        if artifact["expired"] or artifact["name"] != name:
            continue
        run = api.call("GET", f"actions/runs/{artifact['workflow_run']['id']}")
        if (
            run["path"].partition("@")[0] == ".github/workflows/plan.yml"
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
                _command("warning", f"#{pull['number']} has a plan that is not believed: {error}")
            else:
                return True
    return False


def _check(plan: Path) -> None:
    """Raises GithubError for a file that the installed reconciler would not take for a plan."""
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
        raise GithubError("it is another document.")  # the results of an apply are shown too


def _touches_bots(api: Api, number: int) -> bool:
    names = (
        file.get(name, "")
        for file in api.pages(f"pulls/{number}/files")
        for name in ("filename", "previous_filename")
    )
    return any(name.startswith(f"{os.environ.get('BOTS', 'bots')}/") for name in names)


def _only_file(content: bytes) -> bytes:
    """plan.json out of the zip, in memory: no name inside it becomes a path here."""
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
    """Runs a command and shows what it prints, as nothing but text; returns its exit status.

    A line such as `::add-mask::…` would be obeyed by the runner, and a prompt may well hold one. So the
    runner is told to obey nothing until it reads a word that nobody can know. Cancelling a job signals this
    process alone, hence the first signal is handed on; the runner's second one comes too soon to be useful.
    """
    word = secrets.token_hex(32)
    print(f"::stop-commands::{word}", flush=True)
    try:
        with subprocess.Popen(command, stderr=subprocess.STDOUT) as child:  # noqa: S603  the workflow's own

            def hand_on(number: int, frame: object) -> None:
                for each in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(each, signal.SIG_IGN)
                child.send_signal(number)

            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, hand_on)
            status = child.wait()
    finally:
        print(f"\n::{word}::", flush=True)
    return status if status >= 0 else 128 - status


def _command(kind: str, message: str) -> None:
    """A message for the run's page, which ends where it should."""
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
    of = commands.add_parser("issue", help="keep one open issue, or none")
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
    of = commands.add_parser("inert", help="run a command whose output is nothing but text")
    of.add_argument("argv", nargs=argparse.REMAINDER)
    return parser


def main() -> int:
    """One of the commands. 0, the exit status of what was run, or 1 with a sentence."""
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
        said = f"GitHub's API answered in another form than its documentation has ({type(error).__name__})"
        _command("error", f"{said}: run this job again.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
