"""A stand-in for GitHub's API, on loopback: state, a record of the calls, and the rules that matter here.

A token may do what its job's `permissions:` say and no more. Lists come in pages. An artifact's download
leads to a storage on another port, which notes what it was sent.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

Json = Any
REPOSITORY = "shop/bots"
BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether it is meant to change something."""
        return self.method != "GET"


@dataclass
class Hub:
    """GitHub, as the workflows of one repository see it. git: the repository, which compare asks.

    permissions: of each token, what it may do to what. faults: statuses to answer with first,
    instead, with the headers that belong to them; faults_at: to what method alone; refusal: what they say.
    """

    git: Path
    permissions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    faults: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    faults_at: str = ""
    refusal: str = "a fault"
    pulls: dict[int, Json] = field(default_factory=dict)
    introduced: dict[str, list[int]] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    issues: dict[int, Json] = field(default_factory=dict)
    labels: list[Json] = field(default_factory=list)
    runs: dict[int, Json] = field(default_factory=dict)
    artifacts: dict[int, tuple[Json, bytes]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    stored: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbers = itertools.count(1)
        self._servers = [_server(self._api), _server(self._storage)]
        self.url, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def writes(self) -> list[Call]:
        """The calls that were meant to change something."""
        return [call for call in self.calls if call.writes]

    def keep(self, run: int, name: str, files: Mapping[str, bytes]) -> int:
        """What upload-artifact does; returns the artifact's id."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        number = next(self.numbers)
        of = self.runs[run]
        about = {
            "id": number,
            "name": name,
            "expired": False,
            "workflow_run": {
                "id": run,
                "head_sha": of["head_sha"],
                "head_branch": of["head_branch"],
                "repository_id": of["repository"]["full_name"],
                "head_repository_id": of["head_repository"]["full_name"],
            },
        }
        self.artifacts[number] = (about, content.getvalue())
        return number

    # -- what is answered ---------------------------------------------------------------------

    def _api(self, call: Call) -> tuple[int, Json]:
        self.calls.append(call)
        if self.faults and call.method.startswith(self.faults_at):
            status, headers = self.faults.pop(0)
            return status, f"{self.storage}/0" if status < 400 else {"message": self.refusal, **headers}
        allowed = self.permissions.get(call.headers.get("authorization", "").removeprefix("Bearer "))
        if allowed is None:
            return 401, {"message": "Bad credentials"}
        for method, path, needs, answer in self._ROUTES:
            found = re.fullmatch(f"/repos/{REPOSITORY}/{path}", call.path)
            if found and method == call.method:
                level = "write" if call.writes else "read"
                if not any(allowed.get(each) in {level, "write"} for each in needs):
                    return 403, {"message": "Resource not accessible by integration"}
                given: list[Any] = [int(part) if part.isdigit() else part for part in found.groups()]
                return answer(self, call, *given)
        return 404, {"message": "Not Found"}

    def _storage(self, call: Call) -> tuple[int, Json]:
        self.stored.append(call)
        return 200, self.artifacts[int(call.path.strip("/"))][1]

    def _pull(self, call: Call, number: int) -> tuple[int, Json]:
        return 200, self.pulls[number]

    def _files(self, call: Call, number: int) -> tuple[int, Json]:
        return 200, _page(call, [{"filename": name} for name in self.pulls[number]["files"]])

    def _comments(self, call: Call, number: int) -> tuple[int, Json]:
        return 200, _page(call, self.comments.get(number, []))

    def _add_comment(self, call: Call, number: int) -> tuple[int, Json]:
        made = {"id": next(self.numbers), "user": BOT, "body": _text(call)}
        self.comments.setdefault(number, []).append(made)
        return 201, made

    def _edit_comment(self, call: Call, number: int) -> tuple[int, Json]:
        [found] = [c for of in self.comments.values() for c in of if c["id"] == number]
        found["body"] = _text(call)
        return 200, found

    def _issues(self, call: Call) -> tuple[int, Json]:
        return 200, _page(
            call,
            [
                each
                for each in self.issues.values()
                if each["state"] == call.query["state"] and {"name": call.query["labels"]} in each["labels"]
            ],
        )

    def _add_issue(self, call: Call) -> tuple[int, Json]:
        given = json.loads(call.body)
        assert all(any(known["name"] == label for known in self.labels) for label in given["labels"])
        made = {
            "number": next(self.numbers),
            "state": "open",
            "user": BOT,
            "title": given["title"],
            "body": _text(call),
            "labels": [{"name": label} for label in given["labels"]],
        }
        self.issues[made["number"]] = made
        return 201, made

    def _edit_issue(self, call: Call, number: int) -> tuple[int, Json]:
        self.issues[number] |= json.loads(call.body)
        return 200, self.issues[number]

    def _labels(self, call: Call) -> tuple[int, Json]:
        return 200, _page(call, self.labels)

    def _add_label(self, call: Call) -> tuple[int, Json]:
        self.labels.append(json.loads(call.body))
        return 201, self.labels[-1]

    def _pulls_of(self, call: Call, sha: str) -> tuple[int, Json]:
        return 200, _page(call, [self.pulls[number] for number in self.introduced.get(sha, [])])

    def _ref(self, call: Call, branch: str) -> tuple[int, Json]:
        git = ["git", "-C", str(self.git), "rev-parse", "--verify", f"refs/heads/{branch}"]
        sha = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        return 200, {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": sha}}

    def _compare(self, call: Call, base: str, head: str) -> tuple[int, Json]:
        git = ["git", "-C", str(self.git)]
        for sha in (base, head):
            if subprocess.run([*git, "cat-file", "-e", sha], capture_output=True, check=False).returncode:
                return 404, {"message": "Not Found"}
        count = ["rev-list", "--count", f"{head}..{base}"]
        behind = int(subprocess.run([*git, *count], capture_output=True, text=True, check=True).stdout)
        log = ["log", "--reverse", "--format=%H %P", f"{base}..{head}"]
        lines = subprocess.run([*git, *log], capture_output=True, text=True, check=True).stdout.splitlines()
        commits = [
            {"sha": sha, "parents": [{"sha": parent} for parent in parents]}
            for sha, *parents in map(str.split, lines)
        ]
        ways = {(True, True): "diverged", (True, False): "behind", (False, True): "ahead"}
        status = ways.get((behind > 0, bool(commits)), "identical")
        return 200, {"status": status, "commits": _page(call, commits)}

    def _runs_of(self, call: Call, file: str) -> tuple[int, Json]:
        found = [
            {**run, "id": number}
            for number, run in sorted(self.runs.items(), reverse=True)
            if run["path"].partition("@")[0] == f".github/workflows/{file}"
            and run["conclusion"] == call.query["status"]
            and run["head_branch"] == call.query["branch"]
            and run["event"] == call.query["event"]
        ]
        return 200, {"workflow_runs": _page(call, found)}

    def _run(self, call: Call, number: int) -> tuple[int, Json]:
        return (200, self.runs[number]) if number in self.runs else (404, {"message": "Not Found"})

    def _artifacts(self, call: Call) -> tuple[int, Json]:
        found = [about for about, _ in self.artifacts.values() if about["name"] == call.query["name"]]
        return 200, {"artifacts": _page(call, found)}

    def _download(self, call: Call, number: int) -> tuple[int, Json]:
        return 302, f"{self.storage}/{number}"

    # method, path, the permissions any of which it needs, and what answers
    _ROUTES: tuple[tuple[str, str, list[str], Callable[..., tuple[int, Json]]], ...] = (
        ("GET", r"pulls/(\d+)", ["pull-requests"], _pull),
        ("GET", r"pulls/(\d+)/files", ["pull-requests"], _files),
        ("GET", r"issues/(\d+)/comments", ["issues", "pull-requests"], _comments),
        ("POST", r"issues/(\d+)/comments", ["issues", "pull-requests"], _add_comment),
        ("PATCH", r"issues/comments/(\d+)", ["issues", "pull-requests"], _edit_comment),
        ("GET", r"issues", ["issues"], _issues),
        ("POST", r"issues", ["issues"], _add_issue),
        ("PATCH", r"issues/(\d+)", ["issues"], _edit_issue),
        ("GET", r"labels", ["issues"], _labels),
        ("POST", r"labels", ["issues"], _add_label),
        ("GET", r"commits/([0-9a-f]{40})/pulls", ["pull-requests"], _pulls_of),
        ("GET", r"git/ref/heads/(.+)", ["contents"], _ref),
        ("GET", r"compare/([0-9a-f]{40})\.\.\.([0-9a-f]{40})", ["contents"], _compare),
        ("GET", r"actions/workflows/([\w.-]+)/runs", ["actions"], _runs_of),
        ("GET", r"actions/runs/(\d+)", ["actions"], _run),
        ("GET", r"actions/artifacts", ["actions"], _artifacts),
        ("GET", r"actions/artifacts/(\d+)/zip", ["actions"], _download),
    )


def _text(call: Call) -> str:
    body: str = json.loads(call.body)["body"]
    assert len(body) <= 65_536
    return body


def _page(call: Call, items: list[Json]) -> list[Json]:
    size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    return items[(page - 1) * size : page * size]


@contextmanager
def serving(answer: Callable[[Call], tuple[int, Json]]) -> Iterator[str]:
    """The URL of a server on loopback that answers calls; content of a redirect: where it leads."""
    server = _server(answer)
    threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _server(answer: Callable[[Call], tuple[int, Json]]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
            status, content = answer(call)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", content)
                content = b""
            if status >= 400:
                for name in content.keys() - {"message"}:
                    self.send_header(name, content.pop(name))
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = handle_one  # noqa: N815  names that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:  # the record of calls is the log
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server
