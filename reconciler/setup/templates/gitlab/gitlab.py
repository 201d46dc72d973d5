"""What the pipeline does on GitLab: keep one note or issue, and fetch reviewed plans.

Uses only Python's standard library, so that no other code has to be trusted. Reads CI_API_V4_URL,
CI_PROJECT_ID and GITLAB_TOKEN from the environment. Sends the token only to the API: where GitLab redirects
the download of an artifact to a storage, it is made without the token. What others wrote is compared and
stored, never obeyed: a line that begins with a slash would be a quick action, `/merge`, of the token's owner.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

MAX_PLAN = 256 * 2**20
TRIES = 3
TIMEOUT = 30  # seconds
LONGEST_PAUSE = 120
"""Seconds that one call waits when GitLab limits the rate of calls."""

Json = Any


class GitlabError(Exception):
    """An error for a person, never with the token in it."""


# -- the API ------------------------------------------------------------------------------------


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **extra: Any) -> None:
        return None


_open = build_opener(_NoRedirects).open


class Api:
    """The REST API for one project."""

    def __init__(self) -> None:
        try:
            self.url, self.project = os.environ["CI_API_V4_URL"], os.environ["CI_PROJECT_ID"]
            self._token = os.environ["GITLAB_TOKEN"]
        except KeyError as missing:
            raise GitlabError(f"{missing} is not set: see README.md.") from None

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """Call a path below the project's, or one that begins with a slash. Returns the answer."""
        url = f"{self.url}{path}" if path.startswith("/") else f"{self.url}/projects/{self.project}/{path}"
        try:
            return json.loads(self._read(method, url, body))
        except (ValueError, RecursionError):
            raise GitlabError(f"{_what(method, url)} did not answer with JSON.") from None

    def pages(self, path: str, **query: str) -> Iterator[Json]:
        """Every item of a list, page after page."""
        for page in range(1, 101):
            items = self.call("GET", f"{path}?{urlencode({**query, 'per_page': 100, 'page': page})}")
            yield from items
            if len(items) < 100:
                return

    def artifact(self, job: int) -> bytes:
        """The plan.json of a job."""
        return self._read("GET", f"{self.url}/projects/{self.project}/jobs/{job}/artifacts/plan.json")

    def _read(self, method: str, url: str, body: Json = None) -> bytes:
        """The answer. Repeats a call that a rate limit refused; after another error, only one that may be."""
        headers = {"PRIVATE-TOKEN": self._token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        what, failed = _what(method, url), 0
        while True:
            request = Request(url, data, headers, method=method)  # noqa: S310  CI_API_V4_URL is the runner's
            pause: float = 2**failed
            try:
                with _open(request, timeout=TIMEOUT) as answer:
                    content: bytes = answer.read(MAX_PLAN + 1)
                if len(content) > MAX_PLAN:
                    raise GitlabError(f"{what} answered more than a plan can be.")
                return content
            except HTTPError as error:
                to = error.headers.get("Location", "")
                error.close()
                if error.code in {301, 302, 303, 307, 308} and method == "GET" and "PRIVATE-TOKEN" in headers:
                    if urlsplit(to).scheme != urlsplit(self.url).scheme:  # https, wherever GitLab itself is
                        raise GitlabError(f"{what} leads to another scheme.") from None
                    url, headers = to, {}
                    continue
                limited = error.code == 429
                after = error.headers.get("Retry-After", "")
                pause = min(LONGEST_PAUSE, int(after)) if limited and after.isdigit() else pause
                if not limited and (error.code not in {500, 502, 503, 504} or method == "POST"):
                    raise GitlabError(f"{what} answered {error.code}.") from None
                said = f"{what} answered {error.code}."
            except (OSError, HTTPException) as error:  # URLError is an OSError
                if method == "POST":
                    raise GitlabError(f"{what} did not answer ({type(error).__name__}).") from None
                said = f"{what} did not answer ({type(error).__name__})."
            failed += 1
            if failed == TRIES:
                raise GitlabError(said)
            time.sleep(pause)


def _what(method: str, url: str) -> str:
    return f"GitLab's API: {method} {urlsplit(url).path}"


# -- one note, one issue ------------------------------------------------------------------------


def _text(marker: str, file: Path) -> str:
    """A text that is stored: no line of it is a quick action."""
    inert = re.sub(r"(?m)^([^\S\n]*)/", "\\1\N{ZERO WIDTH SPACE}/", file.read_text(encoding="utf-8"))
    return f"<!-- reconciler-{marker} -->\n{inert}"


def _is_ours(item: Json, me: int, marker: str, field: str) -> bool:
    """Whether it is ours: written by the token's owner, with the marker in the first line."""
    lines = (item[field] or "").splitlines()
    return bool(item["author"]["id"] == me and lines[:1] == [f"<!-- reconciler-{marker} -->"])


def note(api: Api, requests: list[int], marker: str, file: Path, head: str | None) -> None:
    """Put a text into the one note with this marker on each merge request; create it if it is missing.

    head: the commit that the text is about. On a merge request with a newer commit the note is not changed.
    """
    me = api.call("GET", "/user")["id"] if requests else 0
    body = _text(marker, file)
    for iid in requests:
        if head and api.call("GET", f"merge_requests/{iid}")["sha"] != head:
            print(f"!{iid} has a newer commit: its note was not changed.")
            continue
        notes = api.pages(f"merge_requests/{iid}/notes", sort="asc")
        found = next((each for each in notes if _is_ours(each, me, marker, "body")), None)
        if found is None:
            api.call("POST", f"merge_requests/{iid}/notes", {"body": body})
        elif found["body"].strip() != body.strip():
            api.call("PUT", f"merge_requests/{iid}/notes/{found['id']}", {"body": body})


def issue(api: Api, label: str, title: str, file: Path | None, close: str) -> None:
    """Keep one open issue with this label: open or edit it with a text, close it without one."""
    me = api.call("GET", "/user")["id"]
    issues = api.pages("issues", state="opened", labels=label)
    found = next((each for each in issues if _is_ours(each, me, label, "description")), None)
    if file is None:
        if found is not None:
            api.call("PUT", f"issues/{found['iid']}", {"state_event": "close"})
            api.call("POST", f"issues/{found['iid']}/notes", {"body": close})
        return
    body = _text(label, file)
    if found is None:
        api.call("POST", "issues", {"title": title, "description": body, "labels": label})
    elif found["description"].strip() != body.strip():
        api.call("PUT", f"issues/{found['iid']}", {"description": body})


# -- the plans that were reviewed ---------------------------------------------------------------


def reviewed(api: Api, commit: str, branch: str, out: Path) -> None:
    """Fetch the plan of every merge request that was merged since the last successful apply.

    Writes OUT/IID.json, and the numbers of these merge requests into OUT/merge-requests.
    """
    out.mkdir(parents=True, exist_ok=True)
    found: dict[int, Json] = {}
    for sha in _since_last_apply(api, commit, branch):
        for each in api.pages(f"repository/commits/{sha}/merge_requests"):
            if each["state"] == "merged" and each["target_branch"] == branch:
                found[int(each["iid"])] = each
    for iid, each in sorted(found.items()):
        if not _fetch(api, each, out / f"{iid}.json"):
            print(f"!{iid} has no plan: none was made, or it has expired.")
    (out / "merge-requests").write_text(" ".join(map(str, sorted(found))))


def _since_last_apply(api: Api, commit: str, branch: str) -> list[str]:
    """The branch's own commits since the last successful apply.

    Raises GitlabError when that apply was of a newer commit, which this job would revert.
    """
    last = _last_apply(api, branch)
    if last is None:
        return [commit]
    if not _is_ancestor(last, commit):
        raise GitlabError(
            "A newer commit than this one was applied, or the branch was rewritten since the last apply, so "
            "this job would revert changes. Run the pipeline on the branch as it is now."
        )
    return _git("rev-list", "--first-parent", f"{last}..{commit}").split() or [commit]


def _last_apply(api: Api, branch: str) -> str | None:
    """The commit of the last deployment to production by the job `apply` of the branch; None for none.

    A job of another branch, or a person by the API, can make deployments too: those do not count.
    """
    _git("fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
    query = {"environment": "production", "status": "success", "order_by": "id", "sort": "desc"}
    for each in api.pages("deployments", **query):
        job = each["deployable"] or {}
        if (
            job.get("name") == "apply"
            and (job.get("ref"), job.get("tag")) == (branch, False)
            and re.fullmatch("[0-9a-f]{40}", each["sha"])
            and _is_ancestor(each["sha"], f"refs/remotes/origin/{branch}")
        ):
            return str(each["sha"])
    return None


def _fetch(api: Api, request: Json, to: Path) -> bool:
    """Write the plan of a merge request's last commit. Returns whether there is a valid one."""
    if request["source_project_id"] != request["target_project_id"]:
        return False  # a fork, whose pipelines have no key and make no plan
    for pipeline in api.pages(f"merge_requests/{request['iid']}/pipelines"):
        if pipeline["source"] != "merge_request_event" or pipeline["sha"] != request["sha"]:
            continue
        for job in api.pages(f"pipelines/{pipeline['id']}/jobs", **{"scope[]": "success"}):
            if job["name"] != "plan":
                continue
            try:
                to.write_bytes(api.artifact(int(job["id"])))
                _check(to)
            except GitlabError as error:
                to.unlink(missing_ok=True)
                print(f"!{request['iid']} has a plan that was rejected: {error}")
            else:
                return True
    return False


def _check(plan: Path) -> None:
    """Raises GitlabError for a file that the installed reconciler does not accept as a plan."""
    env = {name: value for name, value in os.environ.items() if name != "GITLAB_TOKEN"}
    shown = subprocess.run(  # noqa: S603  what the script install installed
        ["reconciler", "show", plan, "--format", "json"],  # noqa: S607
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=env,
        check=False,
        timeout=300,
    )
    if shown.returncode or json.loads(plan.read_bytes())["format"] != "evolution-reconciler/plan":
        raise GitlabError("it is not a plan that this version can read.")


def _is_ancestor(one: str, other: str) -> bool:
    command = ["git", "merge-base", "--is-ancestor", one, other]
    return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise GitlabError(f"git {arguments[0]} failed: {done.stderr.strip()[:300]}")
    return done.stdout


# -- the command line ---------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of = commands.add_parser("note", help="keep one note on merge requests")
    of.add_argument("--merge-request", type=int, nargs="*", default=[], metavar="IID")
    of.add_argument("--head", metavar="SHA", help="only while this is the merge request's commit")
    of.add_argument("--marker", required=True)
    of.add_argument("--text", type=Path, required=True, metavar="FILE")
    of = commands.add_parser("issue", help="open, edit or close one issue")
    of.add_argument("--label", required=True)
    of.add_argument("--title", default="")
    what = of.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE")
    what.add_argument("--close", default="", metavar="TEXT")
    of = commands.add_parser("reviewed", help="fetch the plans of what was merged")
    of.add_argument("--commit", required=True, metavar="SHA")
    of.add_argument("--branch", required=True)
    of.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser


def main() -> int:
    """Run a command. Returns 0, or 1 after an error."""
    given = _parser().parse_args()
    try:
        match given.command:
            case "note":
                note(Api(), given.merge_request, given.marker, given.text, given.head)
            case "issue":
                issue(Api(), given.label, given.title, given.text, given.close)
            case "reviewed":
                reviewed(Api(), given.commit, given.branch, given.out)
    except (GitlabError, OSError, HTTPException, subprocess.TimeoutExpired) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # read as documented
        print(f"Error: GitLab's API did not answer as documented ({type(error).__name__}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
