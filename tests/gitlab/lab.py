"""A stand-in for GitLab's API and its runner, as far as the pipeline that `init --gitlab` writes needs them.

The scripts are run by bash as they stand in the YAML, in a clone, with the variables that GitLab sets and
those of the job's environment. What is not known here is an error, so that a test never passes on a guess. An
artifact's download leads to a storage, which must not see the token.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from tests.workflows.hub import Call, serving
from tests.workflows.project import git
from tests.workflows.runner import _PIP

Json = Any
PROJECT, FORK, TOKEN, ME = "7", "8", "glpat-canary-token", 42
_JOB_KEYS = {
    *("stage", "rules", "script", "needs", "environment", "artifacts", "resource_group"),
    *("parallel", "allow_failure"),
}


@dataclass
class Job:
    """What became of a job."""

    name: str
    result: str
    log: str
    env: Mapping[str, str]
    id: int


@dataclass
class Lab:
    """A project on GitLab. variables: by the scope of an environment, "*" for all.

    lost: the names of jobs whose machines are lost before they do anything.
    """

    git: Path
    directory: Path
    variables: dict[str, dict[str, str]]
    requests: dict[int, Json] = field(default_factory=dict)
    introduced: dict[str, list[int]] = field(default_factory=dict)
    notes: dict[int, list[Json]] = field(default_factory=dict)
    issues: dict[int, Json] = field(default_factory=dict)
    pipelines: list[Json] = field(default_factory=list)
    jobs: dict[int, Json] = field(default_factory=dict)
    deployments: list[Json] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    stored: list[Call] = field(default_factory=list)
    ran: list[Job] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.url, self.storage = (
            self._stack.enter_context(serving(each)) for each in (self._api, self._stored)
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    # -- the API ------------------------------------------------------------------------------

    def _stored(self, call: Call) -> tuple[int, Json]:
        self.stored.append(call)
        return 200, self.jobs[int(call.path.strip("/"))]["plan.json"]

    def _api(self, call: Call) -> tuple[int, Json]:
        self.calls.append(call)
        if call.headers.get("private-token") != TOKEN:
            return 401, {"message": "401 Unauthorized"}
        if call.path == "/user":
            return 200, {"id": ME}
        path = call.path.removeprefix(f"/projects/{PROJECT}/")
        for method, pattern, answer in self._ROUTES:
            if method == call.method and (found := re.fullmatch(pattern, path)):
                return answer(self, call, *found.groups())
        return 404, {"message": "404 Not Found"}

    def _note(self, call: Call, iid: str) -> tuple[int, Json]:
        there = self.notes.setdefault(int(iid), [])
        there.append({"id": len(there) + 1, "author": {"id": ME}, "body": json.loads(call.body)["body"]})
        return 201, there[-1]

    def _edit_note(self, call: Call, iid: str, number: str) -> tuple[int, Json]:
        self.notes[int(iid)][int(number) - 1] |= json.loads(call.body)
        return 200, {}

    def _issues(self, call: Call) -> tuple[int, Json]:
        found = [each for each in self.issues.values() if each["state"] == call.query["state"]]
        return 200, _page(call, found)

    def _add_issue(self, call: Call) -> tuple[int, Json]:
        iid = len(self.issues) + 1
        self.issues[iid] = {"iid": iid, "state": "opened", "author": {"id": ME}, **json.loads(call.body)}
        return 201, self.issues[iid]

    def _edit_issue(self, call: Call, iid: str) -> tuple[int, Json]:
        given = json.loads(call.body)
        if given.pop("state_event", "") == "close":
            given["state"] = "closed"
        self.issues[int(iid)] |= given
        return 200, {}

    def _pipelines(self, call: Call, iid: str) -> tuple[int, Json]:
        return 200, _page(call, [each for each in reversed(self.pipelines) if each["iid"] == int(iid)])

    def _jobs(self, call: Call, pipeline: str) -> tuple[int, Json]:
        assert call.query["scope[]"] == "success"
        found = [each for each in self.jobs.values() if each["pipeline"] == int(pipeline) and each["ok"]]
        return 200, _page(call, [{"id": each["id"], "name": each["name"]} for each in found])

    def _deployments(self, call: Call) -> tuple[int, Json]:
        assert (
            call.query.items() >= {"environment": "production", "status": "success", "sort": "desc"}.items()
        )
        return 200, _page(call, list(reversed(self.deployments)))

    _ROUTES: tuple[tuple[str, str, Callable[..., tuple[int, Json]]], ...] = (
        ("GET", r"merge_requests/(\d+)", lambda self, call, iid: (200, self.requests[int(iid)])),
        ("GET", r"merge_requests/(\d+)/notes", lambda s, c, iid: (200, _page(c, s.notes.get(int(iid), [])))),
        ("POST", r"merge_requests/(\d+)/notes", _note),
        ("PUT", r"merge_requests/(\d+)/notes/(\d+)", _edit_note),
        ("GET", r"merge_requests/(\d+)/pipelines", _pipelines),
        ("GET", r"pipelines/(\d+)/jobs", _jobs),
        ("GET", r"jobs/(\d+)/artifacts/plan.json", lambda s, c, job: (302, f"{s.storage}/{job}")),
        ("GET", r"issues", _issues),
        ("POST", r"issues", _add_issue),
        ("PUT", r"issues/(\d+)", _edit_issue),
        ("POST", r"issues/(\d+)/notes", lambda s, c, iid: (201, {})),
        ("GET", r"deployments", _deployments),
        (
            "GET",
            r"repository/commits/([0-9a-f]{40})/merge_requests",
            lambda s, c, sha: (200, _page(c, [s.requests[iid] for iid in s.introduced.get(sha, [])])),
        ),
    )

    # -- pipelines ----------------------------------------------------------------------------

    def pipeline(self, source: str, sha: str, before: str, iid: int = 0, apply: str = "") -> dict[str, Job]:
        """Runs the pipeline of a commit; its jobs by name. before: what `changes` compares with."""
        spec, config = YAML(typ="safe", pure=True).load_all(git(self.git, "show", f"{sha}:.gitlab-ci.yml"))
        offered = spec["spec"]["inputs"]["apply"]
        apply = apply or offered["default"]
        assert apply in offered["options"]
        about = {"id": len(self.pipelines) + 1, "iid": iid, "source": source, "sha": sha}
        self.pipelines.append(about)
        changed = git(self.git, "diff", "--name-only", before, sha).splitlines()
        known = {"workflow", "stages", "default", "variables"}
        jobs = {name: job for name, job in config.items() if name not in known and not name.startswith(".")}
        given = {name: str(value) for name, value in config["variables"].items()}
        given["APPLY"] = given["APPLY"].replace("$[[ inputs.apply ]]", apply)
        env = {**given, **self._predefined(source, sha, iid)}
        assert any(_holds(rule, env, changed) for rule in config["workflow"]["rules"])
        done: dict[str, Job] = {}
        for name, job in jobs.items():
            assert set(job) <= _JOB_KEYS, set(job) - _JOB_KEYS
            rule = next((each for each in job["rules"] if _holds(each, env, changed)), None)
            if rule is None or rule.get("when") == "never":
                continue
            stages = config["stages"]
            earlier = stages[: stages.index(job["stage"])]
            needs = job.get(
                "needs", [need for need in jobs if jobs[need]["stage"] in earlier and _of(done, need)]
            )
            needed = [each for need in needs for each in _of(done, need)]
            if len(needed) < len(needs):
                continue
            if any(
                each.result != "success" and not jobs[_base(each.name)].get("allow_failure")
                for each in needed
            ):
                continue
            for one, more in _matrix(name, job):
                done[one] = self._job(one, job, {**env, **more}, about, needed)
        self.ran += done.values()
        return done

    def _predefined(self, source: str, sha: str, iid: int) -> dict[str, str]:
        env = {
            "CI_PIPELINE_SOURCE": source,
            "CI_COMMIT_SHA": sha,
            "CI_DEFAULT_BRANCH": "main",
            "CI_PROJECT_ID": PROJECT,
            "CI_API_V4_URL": self.url,
            "CI_JOB_URL": f"{self.url}/jobs",
        }
        if not iid:
            return {**env, "CI_COMMIT_BRANCH": "main"}
        about = self.requests[iid]
        return {
            **env,
            "CI_MERGE_REQUEST_IID": str(iid),
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": about["target_branch"],
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(about["source_project_id"]),
        }

    def _job(self, name: str, job: Json, env: Mapping[str, str], pipeline: Json, needed: list[Job]) -> Job:
        number = len(self.jobs) + 1
        if name in self.lost:
            self.jobs[number] = {"id": number, "name": name, "pipeline": pipeline["id"], "ok": False}
            return Job(name, "failed", "", {}, number)
        place = self.directory / f"{number}-{_base(name)}"
        project, tools = place / "project", place / "bin"
        tools.mkdir(parents=True)
        (tools / "python3").write_text(
            _PIP.format(python=sys.executable, installed=str(self.directory / "installed"))
        )
        (tools / "python3").chmod(0o755)
        git(place, "clone", "--quiet", self.git.as_uri(), str(project))
        git(project, "fetch", "--quiet", "origin", env["CI_COMMIT_SHA"])
        git(project, "checkout", "--quiet", "--detach", env["CI_COMMIT_SHA"])
        for each in needed:  # over what is checked out
            for path, content in self.jobs[each.id].get("files", {}).items():
                (project / path).parent.mkdir(exist_ok=True)
                (project / path).write_bytes(content)
        environment = job.get("environment", {})
        about = {"name": environment} if isinstance(environment, str) else environment
        fork = env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", PROJECT) != PROJECT
        secrets: dict[str, str] = {}
        if not fork:
            for scope in ("*", about.get("name", "")):
                secrets |= self.variables.get(scope, {})
        if "RECONCILER_SECRETS" in secrets:  # of the type file
            (place / "secrets").write_text(secrets["RECONCILER_SECRETS"])
            secrets["RECONCILER_SECRETS"] = str(place / "secrets")
        system = {
            "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
            "HOME": str(place),
            "TMPDIR": str(place),
            "LANG": "C.UTF-8",
        }
        whole = {**system, **env, **secrets, "CI_PROJECT_DIR": str(project)}
        script = "\n".join(["set -eo pipefail", *_flat(job["script"])])
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=project,
            env=whole,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ok = ended.returncode == 0
        kept: Json = {"id": number, "name": name, "pipeline": pipeline["id"], "ok": ok, "files": {}}
        if ok or job.get("artifacts", {}).get("when") == "always":
            for path in job.get("artifacts", {}).get("paths", ()):
                if (project / path).is_file():
                    kept[path] = (project / path).read_bytes()
                for file in (project / path).glob("*"):
                    kept["files"][f"{path}/{file.name}"] = file.read_bytes()
        self.jobs[number] = kept
        if ok and about and "action" not in about:
            deployable = {"name": name, "ref": env["CI_COMMIT_BRANCH"], "tag": False}
            self.deployments.append({"sha": env["CI_COMMIT_SHA"], "deployable": deployable})
        assert about.get("action", "access") == "access"
        return Job(name, "success" if ok else "failed", ended.stdout, whole, number)

    def everything(self) -> str:
        """All that anybody could read afterwards."""
        kept = [value for job in self.jobs.values() for value in job.values() if isinstance(value, bytes)]
        kept += [value for job in self.jobs.values() for value in job.get("files", {}).values()]
        texts = [*(job.log for job in self.ran), *(f"{call.query}{call.body}" for call in self.calls)]
        return "\n".join([*texts, *(value.decode() for value in kept)])


def _base(name: str) -> str:
    """The name of a job without its place in a matrix."""
    return name.partition(":")[0]


def _of(done: Mapping[str, Job], name: str) -> list[Job]:
    return [job for each, job in done.items() if _base(each) == name]


def _matrix(name: str, job: Json) -> list[tuple[str, dict[str, str]]]:
    """The jobs that a job stands for, with the variables of each."""
    if "parallel" not in job:
        return [(name, {})]
    [[(variable, values)]] = [list(each.items()) for each in job["parallel"]["matrix"]]
    assert 1 <= len(values) <= 200
    assert "resource_group" not in job or f"${variable}" in job["resource_group"], "one after the other"
    return [(f"{name}: [{value}]", {variable: value}) for value in values]


def _page(call: Call, items: list[Json]) -> list[Json]:
    size, page = int(call.query.get("per_page", 20)), int(call.query.get("page", 1))
    return items[(page - 1) * size : page * size]


def _flat(script: Json) -> list[str]:
    return [line for each in script for line in (_flat(each) if isinstance(each, list) else [each])]


def _holds(rule: Json, env: Mapping[str, str], changed: list[str]) -> bool:
    assert set(rule) <= {"if", "changes", "when"}
    if "changes" in rule:
        [glob] = rule["changes"]
        assert glob.endswith("/**/*")
        if not any(fnmatch.fnmatch(path, glob.replace("**/*", "*")) for path in changed):
            return False
    return any(all(_same(one, env) for one in each.split("&&")) for each in rule["if"].split("||"))


def _same(text: str, env: Mapping[str, str]) -> bool:
    found = re.fullmatch(r'\s*(\$\w+)\s*(==|!=)\s*(\$\w+|"[^"]*")\s*', text)
    assert found, f"not understood: {text}"
    one, other = (env.get(word[1:]) if word[0] == "$" else word[1:-1] for word in (found[1], found[3]))
    return (one == other) is (found[2] == "==")
