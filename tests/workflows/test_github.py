"""github.py against the stand-in: what it writes, what it leaves alone, and where the token goes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.saved import encode
from tests.workflows.hub import BOT, REPOSITORY, Hub
from tests.workflows.project import FORK, ROOT, commit, git
from tests.workflows.runner import masked, obeyed

SCRIPT = ROOT / ".github" / "actions" / "reconciler" / "github.py"
TOKEN = "token-canary"

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ORIGIN = {"tool": "0", "created": "2026-01-01T00:00:00+00:00", "commit": None}
PLAN = encode.plan(Plan("https://api.example", "default", ()), ORIGIN).encode()
"""A plan of nothing."""

PUSHED = {
    "path": ".github/workflows/apply.yml",
    "event": "push",
    "head_branch": "main",
    "conclusion": "success",
    "repository": {"full_name": REPOSITORY},
    "head_repository": {"full_name": REPOSITORY},
}
"""A run of the apply that went well, but for its commit."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub(tmp_path / "git") as hub:
        every = ("contents", "actions", "issues", "pull-requests")
        hub.permissions[TOKEN] = dict.fromkeys(every, "write")
        yield hub


@pytest.fixture
def run(hub: Hub, tmp_path: Path) -> Run:
    """Runs the script. The token may never be shown."""

    def run(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]),
            "GITHUB_API_URL": hub.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            **env,
        }
        command = [sys.executable, "-I", SCRIPT, *args]
        reconciler = tmp_path / "bin" / "reconciler"
        reconciler.parent.mkdir(exist_ok=True)
        reconciler.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m reconciler "$@"\n')
        reconciler.chmod(0o755)
        ended = subprocess.run(
            command, env=given, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert TOKEN not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return run


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.md"
    path.write_text("What we say.\n")
    return path


def written(hub: Hub) -> list[str]:
    return [str(call).replace(f"/repos/{REPOSITORY}", "") for call in hub.writes]


class TestComment:
    def test_it_is_made_once_and_then_edited(self, hub: Hub, run: Run, text: Path) -> None:
        comment = ("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert run(*comment).returncode == 0
        assert run(*comment).returncode == 0  # nothing new to say
        text.write_text("Something else.\n")
        assert run(*comment).returncode == 0
        assert written(hub) == ["POST /issues/7/comments", "PATCH /issues/comments/1"]
        assert [each["body"] for each in hub.comments[7]] == ["<!-- reconciler-plan -->\nSomething else.\n"]

    def test_other_people_s_comments_are_not_ours(self, hub: Hub, run: Run, text: Path) -> None:
        marked = "<!-- reconciler-plan -->\nWhat they say."
        theirs: list[dict[str, Any]] = [
            {"id": 1001, "user": {"login": "mallory", "type": "User"}, "body": marked},
            {"id": 1002, "user": {"login": "github-actions", "type": "User"}, "body": marked},
            {"id": 1003, "user": None, "body": marked},
            {"id": 1004, "user": BOT, "body": f"> {marked}"},
            {"id": 1005, "user": BOT, "body": "<!-- reconciler-apply -->\nAnother of ours."},
            {"id": 1006, "user": BOT, "body": None},
        ]
        hub.comments[7] = list(theirs)
        assert run("comment", "--pull", "7", "--marker", "plan", "--text", text).returncode == 0
        assert written(hub) == ["POST /issues/7/comments"]
        assert hub.comments[7][:-1] == theirs

    @pytest.mark.parametrize("end", ["\r\n", "\r\n\r\nEdited.", "  \r\n\t"])
    def test_one_that_was_edited_in_the_browser_is_found(
        self, hub: Hub, run: Run, text: Path, end: str
    ) -> None:
        body = f"<!-- reconciler-plan -->\r\nWhat we said.{end}"
        hub.comments[7] = [{"id": 1000, "user": BOT, "body": body}]
        run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert written(hub) == ["PATCH /issues/comments/1000"]

    def test_it_is_found_on_a_later_page(self, hub: Hub, run: Run, text: Path) -> None:
        talk = [{"id": 1000 + n, "user": {"login": "someone"}, "body": "Hm."} for n in range(250)]
        ours = {"id": 2000, "user": BOT, "body": "<!-- reconciler-plan -->\nBefore."}
        hub.comments[7] = [*talk, ours]
        assert run("comment", "--pull", "7", "--marker", "plan", "--text", text).returncode == 0
        assert written(hub) == ["PATCH /issues/comments/2000"]

    def test_a_pull_request_that_moved_on_keeps_its_comment(self, hub: Hub, run: Run, text: Path) -> None:
        hub.pulls[7] = {"head": {"sha": "a" * 40}}
        old = run("comment", "--pull", "7", "--head", "b" * 40, "--marker", "plan", "--text", text)
        assert (old.returncode, written(hub)) == (0, [])
        run("comment", "--pull", "7", "--head", "a" * 40, "--marker", "plan", "--text", text)
        assert written(hub) == ["POST /issues/7/comments"]

    def test_several_and_none(self, hub: Hub, run: Run, text: Path) -> None:
        run("comment", "--marker", "apply", "--text", text, "--pull", "7", "8")
        run("comment", "--marker", "apply", "--text", text, "--pull")
        assert written(hub) == ["POST /issues/7/comments", "POST /issues/8/comments"]


class TestIssue:
    def test_its_life(self, hub: Hub, run: Run, text: Path) -> None:
        issue = ("issue", "--marker", "drift", "--label", "drift")
        assert run(*issue, "--close", "Well again.").returncode == 0
        assert written(hub) == []
        shown = (*issue, "--title", "Drift", "--text", text)
        run(*shown)
        run(*shown)
        text.write_text("More of it.\n")
        run(*shown)
        [number] = hub.issues
        assert hub.issues[number]["body"] == "<!-- reconciler-drift -->\nMore of it.\n"
        run(*issue, "--close", "Well again.")
        assert hub.issues[number]["state"] == "closed"
        run(*issue, "--close", "Well again.")
        assert written(hub) == [
            "POST /labels",
            "POST /issues",
            f"PATCH /issues/{number}",
            f"PATCH /issues/{number}",
            f"POST /issues/{number}/comments",
        ]
        run(*shown)
        assert [each["state"] for each in hub.issues.values()] == ["closed", "open"]

    @pytest.mark.parametrize("name", ["drift", "Drift", "DRIFT"])
    def test_a_label_that_is_there_is_used(self, hub: Hub, run: Run, text: Path, name: str) -> None:
        """GitHub would answer 422 to another that differs in its case alone."""
        hub.labels = [{"name": "bug"}, {"name": name}]
        issue = ("issue", "--marker", "drift", "--label", "drift")
        for _ in range(2):
            assert run(*issue, "--title", "Drift", "--text", text).returncode == 0
        [number] = hub.issues
        assert hub.issues[number]["labels"] == [{"name": name}]
        assert run(*issue, "--close", "Well again.").returncode == 0
        assert hub.issues[number]["state"] == "closed"
        assert len(hub.labels) == 2

    def test_one_that_was_edited_in_the_browser_is_found(self, hub: Hub, run: Run, text: Path) -> None:
        issue = ("issue", "--marker", "drift", "--label", "drift")
        run(*issue, "--title", "Drift", "--text", text)
        [number] = hub.issues
        hub.issues[number]["body"] = hub.issues[number]["body"].replace("\n", "\r\n").strip()
        hub.calls.clear()
        run(*issue, "--title", "Drift", "--text", text)
        assert written(hub) == []  # it says that already
        hub.issues[number]["body"] += "\r\n\r\nI look into it."
        run(*issue, "--title", "Drift", "--text", text)
        run(*issue, "--close", "Well again.")
        assert [each["state"] for each in hub.issues.values()] == ["closed"]

    def test_other_people_s_issues_are_not_ours(self, hub: Hub, run: Run, text: Path) -> None:
        about = {"state": "open", "labels": [{"name": "drift"}], "body": "<!-- reconciler-drift -->\nTheirs."}
        hub.issues[3] = {**about, "number": 3, "user": {"login": "mallory"}}
        run("issue", "--marker", "drift", "--label", "drift", "--close", "Well again.")
        assert written(hub) == []


_HERE = {"repository_id": 1, "head_repository_id": 1}
"""What GitHub says of the run of an artifact that is of this repository."""


class TestReviewed:
    """main has the merge of #7, whose plan was kept by run 70 as artifact 700."""

    @pytest.fixture
    def main(self, hub: Hub, tmp_path: Path) -> str:
        directory = tmp_path / "git"
        directory.mkdir()
        git(directory, "init", "--quiet", "--initial-branch=main")
        self.first = commit(directory, "first")
        git(directory, "checkout", "--quiet", "-b", "edit")
        self.head = commit(directory, "edit")
        git(directory, "checkout", "--quiet", "main")
        git(directory, "merge", "--quiet", "--no-ff", "--message", "merge", "edit")
        merged = git(directory, "rev-parse", "HEAD")
        hub.introduced = {merged: [7], self.head: [7]}
        hub.pulls[7] = {
            "number": 7,
            "merged_at": "2026-01-01T00:00:00Z",
            "head": {"sha": self.head, "ref": "edit", "repo": {"full_name": REPOSITORY}},
            "base": {"ref": "main", "repo": {"full_name": REPOSITORY}},
            "files": ["README.md", "bots/loja.yaml"],
        }
        hub.runs[70] = {
            "path": ".github/workflows/plan.yml",
            "event": "pull_request",
            "conclusion": "success",
            "head_sha": self.head,
            "head_branch": "edit",
            "repository": {"full_name": REPOSITORY},
            "head_repository": {"full_name": REPOSITORY},
        }
        hub.artifacts[700] = (self._about(700, 70), self._zip({"plan.json": PLAN}))
        return merged

    def _about(self, number: int, run: int) -> dict[str, Any]:
        name = f"plan-7-{self.head}"
        of = {"id": run, "head_sha": self.head, "head_branch": "edit", **_HERE}
        return {"id": number, "name": name, "expired": False, "workflow_run": of}

    def _zip(self, files: Mapping[str, bytes]) -> bytes:
        content = BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return content.getvalue()

    def _ask(self, run: Run, tmp_path: Path, commit: str, before: str = "0" * 40) -> tuple[int, str, str]:
        ended = run(
            *("reviewed", "--commit", commit, "--branch", "main", "--before", before),
            *("--out", tmp_path / "reviewed"),
        )
        output = tmp_path / "output"
        return ended.returncode, output.read_text() if output.exists() else "", ended.stdout

    def test_the_plan_is_fetched(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        assert self._ask(run, tmp_path, main, self.first) == (0, "pulls=7\nplans=7\n", "")
        assert (tmp_path / "reviewed" / "7.json").read_bytes() == PLAN
        assert written(hub) == []

    def test_the_storage_does_not_see_the_token(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        self._ask(run, tmp_path, main, self.first)
        [call] = hub.stored
        assert TOKEN not in str(call)
        assert all(TOKEN in str(call.headers) for call in hub.calls)

    def test_without_a_commit_before(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        assert self._ask(run, tmp_path, main)[1] == "pulls=7\nplans=7\n"

    @pytest.mark.parametrize(
        ("what", "value"),
        [
            ("path", ".github/workflows/evil.yml"),
            ("event", "push"),
            ("event", "pull_request_target"),
            ("conclusion", "failure"),
            ("conclusion", None),
            ("head_sha", "e" * 40),
            ("head_branch", "another"),
            ("repository", {"full_name": FORK}),
            ("head_repository", {"full_name": FORK}),
        ],
    )
    def test_a_run_that_is_not_the_plan_s(
        self, hub: Hub, run: Run, main: str, tmp_path: Path, what: str, value: object
    ) -> None:
        hub.runs[70][what] = value
        code, outputs, said = self._ask(run, tmp_path, main, self.first)
        assert (code, outputs) == (0, "pulls=7\nplans=\n")
        assert [kind for kind, _ in obeyed(said)] == ["warning"]
        assert hub.stored == []

    def test_a_fork_s_pull_request(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        for repo in ({"full_name": FORK}, None):
            hub.pulls[7]["head"]["repo"] = repo
            assert self._ask(run, tmp_path, main, self.first)[1].endswith("pulls=7\nplans=\n")
        assert hub.stored == []

    def test_a_pull_request_on_other_things(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.artifacts.clear()
        hub.pulls[7]["files"] = ["README.md", "docs/bots/loja.yaml"]
        assert self._ask(run, tmp_path, main, self.first) == (0, "pulls=\nplans=\n", "")

    def test_an_expired_plan(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.artifacts[700][0]["expired"] = True
        assert self._ask(run, tmp_path, main, self.first)[1] == "pulls=7\nplans=\n"

    def test_pull_requests_that_do_not_count(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.pulls[8] = {**hub.pulls[7], "number": 8, "merged_at": None}
        here = hub.pulls[7]["base"]
        hub.pulls[9] = {**hub.pulls[7], "number": 9, "base": {**here, "ref": "another"}}
        hub.pulls[10] = {**hub.pulls[7], "number": 10, "base": {**here, "repo": {"full_name": FORK}}}
        hub.pulls[11] = {**hub.pulls[7], "number": 11, "base": {**here, "repo": None}}
        hub.introduced[main] += [8, 9, 10, 11]
        assert self._ask(run, tmp_path, main, self.first)[1] == "pulls=7\nplans=7\n"

    def test_the_newest_of_several_plans(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.artifacts[699] = (self._about(699, 70), self._zip({"plan.json": b"an older plan"}))
        hub.runs[71] = {**hub.runs[70], "conclusion": "failure"}
        hub.artifacts[701] = (self._about(701, 71), self._zip({"plan.json": b"of a failed run"}))
        self._ask(run, tmp_path, main, self.first)
        assert (tmp_path / "reviewed" / "7.json").read_bytes() == PLAN

    @pytest.mark.parametrize(
        "about",
        [
            {"head_repository_id": 2},
            {"head_repository_id": None},
            {"head_sha": "e" * 40},
            {"head_branch": "another"},
            {"id": None},
            None,
        ],
        ids=str,
    )
    def test_strangers_artifacts_of_that_name(
        self, hub: Hub, run: Run, main: str, tmp_path: Path, about: dict[str, object] | None
    ) -> None:
        """They are not even looked up, as that would use up GitHub's limit of calls."""
        for number in range(1000, 1300):
            stranger = self._about(number, 71)
            stranger["workflow_run"] = about and {**stranger["workflow_run"], **about}
            hub.artifacts[number] = (stranger, b"theirs")
        assert self._ask(run, tmp_path, main, self.first) == (0, "pulls=7\nplans=7\n", "")
        assert [call.path for call in hub.calls if "/actions/runs/" in call.path] == [
            f"/repos/{REPOSITORY}/actions/runs/70"
        ]

    def test_an_artifact_whose_run_was_deleted(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.artifacts[701] = (self._about(701, 71), b"")
        assert self._ask(run, tmp_path, main, self.first) == (0, "pulls=7\nplans=7\n", "")

    def test_what_was_dropped_since_the_last_good_apply(
        self, hub: Hub, run: Run, main: str, tmp_path: Path
    ) -> None:
        """The runs for #7 and #8 were dropped or failed; the one for the commit after them makes it good."""
        hub.runs[50] = {**PUSHED, "head_sha": self.first}
        hub.runs[51] = {**PUSHED, "conclusion": "failure", "head_sha": main}
        directory = tmp_path / "git"
        newest = commit(directory, "squashed")
        hub.introduced[newest] = [8]
        hub.pulls[8] = {**hub.pulls[7], "number": 8}
        assert self._ask(run, tmp_path, newest, main)[1] == "pulls=7 8\nplans=7\n"
        asked = [call.path.rpartition("/commits/")[2] for call in hub.calls if "/commits/" in call.path]
        assert asked == [f"{newest}/pulls", f"{main}/pulls"]  # and not the commits of merged branches

    @pytest.mark.parametrize("rewritten", [False, True])
    def test_never_back(self, hub: Hub, run: Run, main: str, tmp_path: Path, rewritten: bool) -> None:
        """An old run that is run again, or a branch that was rewritten."""
        hub.runs[50] = {**PUSHED, "head_sha": main}
        at = self.first
        if rewritten:
            git(tmp_path / "git", "checkout", "--quiet", "--detach", self.first)
            at = commit(tmp_path / "git", "another history")
        code, outputs, said = self._ask(run, tmp_path, at, self.first)
        assert (code, outputs) == (1, "")
        assert "this run would revert changes" in said

    @pytest.mark.parametrize(
        "stranger",
        [
            {"head_repository": {"full_name": FORK}},
            {"head_repository": None},
            {"repository": {"full_name": FORK}},
            {"event": "pull_request"},
            {"event": "pull_request_target"},
            {"event": "schedule"},
            {"event": "workflow_run"},
            {"event": "workflow_dispatch"},  # of a tag that is called main
            {"path": ".github/workflows/another.yml"},
            {"conclusion": "failure"},
            {"conclusion": "skipped"},
            {"head_sha": "f" * 40},  # which nobody has any more
            {},  # of a branch or a tag of that name, which was pushed
        ],
        ids=str,
    )
    @pytest.mark.parametrize("many", [1, 120])
    def test_a_stranger_s_run_is_no_apply(
        self, hub: Hub, run: Run, main: str, tmp_path: Path, stranger: dict[str, object], many: int
    ) -> None:
        """Neither is this one refused as older, nor is what was applied before forgotten."""
        directory = tmp_path / "git"
        git(directory, "checkout", "--quiet", "-b", "elsewhere")
        theirs = commit(directory, "theirs")
        git(directory, "checkout", "--quiet", "main")
        hub.runs[50] = {**PUSHED, "head_sha": self.first}
        for number in range(100, 100 + many):
            hub.runs[number] = {**PUSHED, "head_sha": theirs, **stranger}
        code, outputs, said = self._ask(run, tmp_path, main)
        assert (code, outputs, said) == (0, "pulls=7\nplans=7\n", "")

    def test_an_apply_by_hand_counts(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        hub.runs[50] = {**PUSHED, "head_sha": self.first}
        hub.runs[51] = {**PUSHED, "event": "workflow_dispatch", "head_sha": main}
        newest = commit(tmp_path / "git", "squashed")
        assert self._ask(run, tmp_path, newest, self.first) == (0, "pulls=\nplans=\n", "")

    def test_many_commits_that_are_on_no_branch(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        for number in range(1000, 1200):
            hub.runs[number] = {**PUSHED, "head_sha": f"e{number:039x}"}
        assert self._ask(run, tmp_path, main, self.first) == (0, "pulls=7\nplans=7\n", "")
        assert len([call for call in hub.calls if "/compare/" in call.path]) < 60

    def test_a_push_over_a_history_that_is_gone(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        code, outputs, said = self._ask(run, tmp_path, main, "e" * 40)
        assert (code, outputs) == (1, "")
        assert "Run the workflow by hand" in said

    @pytest.mark.parametrize(
        "content",
        [
            b"no zip",
            b"",
            pytest.param({"other.json": b""}, id="another file"),
            pytest.param({"../plan.json": b"", "/plan.json": b""}, id="paths that lead out"),
            pytest.param({"plan.json": b""}, id="empty"),
            pytest.param({"plan.json": b"[" * 100_000}, id="nested"),
            pytest.param({"plan.json": b"null"}, id="null"),
            pytest.param({"plan.json": b"\xff\xfe{\x00}\x00"}, id="UTF-16"),
            pytest.param({"plan.json": PLAN[:-20]}, id="cut"),
            pytest.param({"plan.json": PLAN.replace(b'"version": 2', b'"version": 99')}, id="version"),
            pytest.param({"plan.json": PLAN.replace(b"/plan", b"/results")}, id="format"),
            pytest.param({"plan.json": PLAN.replace(b"api.example", b"evil.example")}, id="altered"),
            pytest.param({"plan.json": b'{"::error::x": "##[error]y"}'}, id="commands"),
        ],
    )
    def test_a_plan_that_is_none_is_not_believed_and_the_others_are(
        self, hub: Hub, run: Run, main: str, tmp_path: Path, content: bytes | dict[str, bytes]
    ) -> None:
        archive = content if isinstance(content, bytes) else self._zip(content)
        self._is_not_believed(hub, run, main, tmp_path, archive)

    @pytest.mark.parametrize("how", ["checksum", "compressed", "encrypted", "method", "results"])
    def test_an_archive_that_is_broken(self, hub: Hub, run: Run, main: str, tmp_path: Path, how: str) -> None:
        archive = bytearray(self._zip({"plan.json": PLAN}))
        listed = archive.index(b"PK\x01\x02")
        match how:
            case "checksum":
                archive[listed + 16] ^= 1
            case "compressed":
                archive[50:60] = b"\xff" * 10
            case "encrypted":
                archive[listed + 8] |= 1
                archive[6] |= 1
            case "method":
                archive[listed + 10] = archive[8] = 99
            case "results":
                nothing = encode.results(Plan("https://api.example", "default", ()), Results(()), ORIGIN)
                archive = bytearray(self._zip({"plan.json": nothing.encode()}))
        self._is_not_believed(hub, run, main, tmp_path, bytes(archive))

    def test_a_storage_that_is_less_safe(self, hub: Hub, run: Run, main: str, tmp_path: Path) -> None:
        storage = hub.storage
        hub.storage = "file:///etc/passwd?"
        code, outputs, said = self._ask(run, tmp_path, main, self.first)
        assert (code, outputs) == (0, "pulls=7\nplans=\n")
        assert "does not use the same scheme" in said
        hub.storage = storage

    def _is_not_believed(self, hub: Hub, run: Run, main: str, tmp_path: Path, archive: bytes) -> None:
        """And the plan of #8, merged after it, is."""
        hub.artifacts[700] = (hub.artifacts[700][0], archive)
        directory = tmp_path / "git"
        newest = commit(directory, "squashed")
        hub.introduced[newest] = [8]
        hub.pulls[8] = {**hub.pulls[7], "number": 8}
        about = {**self._about(800, 70), "name": f"plan-8-{self.head}"}
        hub.artifacts[800] = (about, self._zip({"plan.json": PLAN}))
        code, outputs, said = self._ask(run, tmp_path, newest, self.first)
        assert (code, outputs) == (0, "pulls=7 8\nplans=8\n")
        assert {path.name for path in (tmp_path / "reviewed").iterdir()} == {"8.json"}
        kinds = [kind for kind, text in obeyed(said) if "#7" in text]
        assert kinds == ["warning", "warning"] == [kind for kind, _ in obeyed(said)]
        assert "was rejected" in said

    def test_an_older_plan_of_the_same_commit_will_do(
        self, hub: Hub, run: Run, main: str, tmp_path: Path
    ) -> None:
        hub.artifacts[701] = (self._about(701, 70), b"no zip")
        code, outputs, said = self._ask(run, tmp_path, main, self.first)
        assert (code, outputs) == (0, "pulls=7\nplans=7\n")
        assert [kind for kind, _ in obeyed(said)] == ["warning"]


class TestTheApi:
    def test_a_read_is_tried_again(self, hub: Hub, run: Run, text: Path) -> None:
        hub.faults = [(502, {})]
        assert run("comment", "--pull", "7", "--marker", "plan", "--text", text).returncode == 0
        assert len(hub.comments[7]) == 1

    def test_a_post_is_not(self, hub: Hub, run: Run, text: Path) -> None:
        """Whether the comment was made nobody knows; the next run will find it."""
        hub.pulls[7] = {"head": {"sha": "a" * 40}}
        hub.permissions[TOKEN] = {"pull-requests": "read"}
        ended = run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert ended.returncode == 1
        assert written(hub) == ["POST /issues/7/comments"]
        assert "answered 403 (Resource not accessible by integration)" in ended.stdout

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (403, {"Retry-After": "1"}),
            (429, {"Retry-After": "1"}),
            (429, {"Retry-After": "0"}),
            (429, {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}),
            (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"}),
            (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000", "Retry-After": "soon"}),
        ],
    )
    def test_too_many_calls_are_waited_for(
        self, hub: Hub, run: Run, text: Path, method: str, status: int, headers: dict[str, str]
    ) -> None:
        """Also before a POST: GitHub says that it did nothing."""
        hub.faults = [(status, headers)]
        if method == "POST":
            hub.pulls[7] = {"head": {"sha": "a" * 40}}
            hub.faults_at = "POST"
        begun = time.monotonic()
        assert run("comment", "--pull", "7", "--marker", "plan", "--text", text).returncode == 0
        assert time.monotonic() - begun > 0.9
        assert (len(hub.comments[7]), hub.faults) == (1, [])
        assert [call.method for call in hub.calls].count(method) == 2

    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (429, {"Retry-After": "3600"}),
            (403, {"Retry-After": "999999999"}),
            (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}),
            (429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
        ],
    )
    def test_but_not_for_long(
        self, hub: Hub, run: Run, text: Path, status: int, headers: dict[str, str]
    ) -> None:
        hub.faults = [(status, headers)]
        ended = run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert (ended.returncode, len(hub.calls)) == (1, 1)
        assert "asks to wait" in ended.stdout

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Retry-After": "x" * 30}, {"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1700000000"}],
    )
    def test_a_permission_that_lacks_is_not_waited_for(
        self, hub: Hub, run: Run, text: Path, headers: dict[str, str]
    ) -> None:
        hub.faults = [(403, headers)]
        ended = run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert (ended.returncode, len(hub.calls)) == (1, 1)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed(self, hub: Hub, run: Run, text: Path, status: int) -> None:
        hub.faults = [(status, {})]
        ended = run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert (ended.returncode, len(hub.calls), hub.stored) == (1, 1, [])

    def test_a_message_cannot_command(self, hub: Hub, run: Run, text: Path) -> None:
        hub.refusal = "no\n::add-mask::x"
        hub.faults = [(422, {})]
        ended = run("comment", "--pull", "7", "--marker", "plan", "--text", text)
        assert [kind for kind, _ in obeyed(ended.stdout)] == ["error"]

    def test_nobody_there(self, run: Run, text: Path) -> None:
        ended = run(
            "comment", "--pull", "7", "--marker", "plan", "--text", text, GITHUB_API_URL="http://127.0.0.1:1"
        )
        assert ended.returncode == 1
        assert "did not answer" in ended.stdout

    @pytest.mark.parametrize("sha", ["main", "a" * 39, "A" * 40, "../x", f"{'a' * 40}/../x"])
    def test_a_commit_is_a_sha(self, hub: Hub, run: Run, sha: str, tmp_path: Path) -> None:
        ended = run("reviewed", "--commit", sha, "--branch", "main", "--out", tmp_path)
        assert (ended.returncode, hub.calls) == (2, [])


class TestInert:
    HOSTILE = (
        "::add-mask::a",
        "  ::error::b",
        "##[warning]c",
        "text ##[group]d",
        "::stop-commands::e",
        "::e::",
        "::set-env name=PATH::f",
    )

    def test_what_it_prints_is_text(self, run: Run) -> None:
        ended = run("inert", "printf", "%s\\n", *self.HOSTILE)
        assert ended.returncode == 0
        assert all(line in ended.stdout.splitlines() for line in self.HOSTILE)
        assert obeyed(ended.stdout) == []
        assert obeyed("\n".join(self.HOSTILE[:4])) != []  # without it they are obeyed

    def test_errors_too(self, run: Run) -> None:
        ended = run("inert", "sh", "-c", "printf '::error::x\\n::warning::no end of line' >&2; exit 7")
        assert (ended.returncode, obeyed(ended.stdout), ended.stderr) == (7, [], "")

    def test_the_keys_are_stdin_and_masked(self, run: Run) -> None:
        """What it runs has them in no environment. The runner is told each value first."""
        lines = [
            "# a comment of many words",
            "export A='sk-canary-of-a' # of the shop",
            'B="two lines\nof-canary-b"',
            "C = app-canary-of-c",
            "D=short",
        ]
        keys = "\n".join(lines)
        ended = run("inert", "sh", "-c", 'cat; echo; echo "[$RECONCILER_SECRETS]"', RECONCILER_SECRETS=keys)
        shown, masks = masked(ended.stdout)
        assert {"sk-canary-of-a", "two lines", "of-canary-b", "app-canary-of-c"} <= set(masks)
        assert not {"short", "# a comment of many words"} & set(masks)
        assert shown.splitlines()[1:].index(lines[0]) == 0
        assert keys in shown
        assert "[]" in shown.splitlines()

    def test_a_command_that_does_not_read_the_keys(self, run: Run) -> None:
        ended = run("inert", "true", RECONCILER_SECRETS="A=" + "x" * 40_000)
        assert ended.returncode == 0

    def test_the_word_is_another_each_time(self, run: Run) -> None:
        words = {re.findall("::stop-commands::(.*)", run("inert", "true").stdout)[0] for _ in range(3)}
        assert len(words) == 3
        assert all(len(word) == 64 for word in words)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_is_handed_on_once(self, number: signal.Signals, tmp_path: Path) -> None:
        """As the runner sends it, to one process alone; the second one comes before the first is done."""
        child = (
            "import signal, sys, time\n"
            "got = []\n"
            "for each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, lambda n, f: got.append(n))\n"
            "open('ready', 'w').close()\n"
            "while not got: time.sleep(0.01)\n"
            "time.sleep(0.5)\n"
            "print(got)\n"
            "sys.exit(128 + got[0])\n"
        )
        command = [sys.executable, "-I", str(SCRIPT), "inert", sys.executable, "-c", child]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            while not (tmp_path / "ready").exists():
                time.sleep(0.01)
            process.send_signal(number)
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert json.dumps([int(number)]) in said
        assert obeyed(said) == []
