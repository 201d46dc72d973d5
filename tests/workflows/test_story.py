"""The workflows as people meet them: each script as it stands in the YAML, against the embedded server."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain.kinds import KINDS
from tests.support import World
from tests.workflows.project import KEY, LOJA, Project, add, git, put
from tests.workflows.runner import Job


@pytest.fixture
def applied(project: Project) -> Project:
    """The project, its server as main says."""
    project.apply_by_hand()
    project.server.calls.clear()
    return project


def as_bytes(document: Any) -> bytes:
    """A document as JSON."""
    return json.dumps(document).encode()


def ended(job: Job | None) -> str:
    """How a job ended, which has to have been started."""
    assert job is not None
    return job.result


def written(project: Project) -> list[str]:
    """What was written to GitHub, each call's method and the last part of its path."""
    return [f"{call.method} {call.path.rpartition('/')[2]}" for call in project.hub.writes]


def bots(world: World) -> dict[str, Any]:
    """The server's bots by their names."""
    found = world.bots("loja")
    return {bot["description"].partition("[gitops:")[2].partition("]")[0].split()[0]: bot for bot in found}


def test_the_whole_story(applied: Project, world: World) -> None:
    project = applied
    # A pull request is opened: one comment, the plan in the summary and as an artifact, nothing written.
    pull = project.open("prazos", add("Diga sempre o prazo."))
    assert pull.runs[-1].conclusion == "success"
    [first] = project.comments(pull)
    assert first.startswith("<!-- reconciler-plan -->\n")
    assert "dois" in first
    assert "Diga sempre o prazo." in first
    assert "/artifacts/" in first or "artifact" not in first
    assert "Diga sempre o prazo." in pull.job("plan").summary
    assert "Diga sempre o prazo." in pull.job("validate").summary
    assert "Sim." not in pull.job("validate").summary  # only what the pull request changes
    # Pushed again: the same comment says the new plan.
    project.push(pull, add("Nunca prometa."))
    [second] = project.comments(pull)
    assert "Nunca prometa." in second
    names = [about["name"] for about, _ in project.hub.artifacts.values() if "plan-" in about["name"]]
    assert len(set(names)) == 2
    assert project.server.writes == []
    # Merged: applied, and the result posted.
    job = project.merge(pull)
    assert ended(job) == "success"
    assert [call.method for call in project.server.writes] == ["PUT"]
    assert bots(world)["dois"]["systemMessages"] == ["Fale de prazos.\nDiga sempre o prazo.\nNunca prometa."]
    [_, result] = project.comments(pull)
    assert result.startswith("<!-- reconciler-apply -->\n")
    assert "applied" in result
    # No drift, no issue.
    assert ended(project.drift()) == "success"
    assert project.hub.issues == {}
    # Somebody edits a bot on the server: an issue opens, once.
    before = bots(world)["um"]
    world.change("loja", before, systemMessages=["Talvez."])
    for _ in range(2):
        assert ended(project.drift()) == "success"
    [issue] = project.hub.issues.values()
    assert issue["labels"] == [{"name": "drift"}]
    assert "Talvez." in issue["body"]
    assert written(project)[-2:] == ["POST labels", "POST issues"]
    # Edited more: the issue says so.
    world.change("loja", before, systemMessages=["Quem sabe."])
    project.drift()
    assert "Quem sabe." in issue["body"]
    # Repaired: it closes.
    world.change("loja", before)
    assert ended(project.drift()) == "success"
    assert issue["state"] == "closed"
    assert len(project.hub.issues) == 1


class TestPlan:
    def test_without_a_change_of_bots_there_is_none(self, applied: Project) -> None:
        pull = applied.open("docs", put("docs.md", "Words."))
        assert (pull.job("validate").result, pull.job("plan").result) == ("success", "skipped")
        assert written(applied) == []

    def test_an_error_stands_on_its_line(self, applied: Project) -> None:
        pull = applied.open("typo", put("bots/loja.yaml", LOJA.replace("maxTokens: 200", "maxTokems: 200")))
        assert (pull.job("validate").result, pull.job("plan").result) == ("failure", "skipped")
        [(where, said)] = [each for each in pull.job("validate").commands if "maxTokems" in each[1]]
        assert where.startswith("error file=bots/loja.yaml,line=5,col=")
        assert "maxTokens" in said
        assert written(applied) == []

    def test_it_is_of_what_the_merge_would_make(self, applied: Project) -> None:
        """A branch that is behind main does not plan to take back what was merged since."""
        applied.push_to_main(put("bots/loja.yaml", LOJA.replace("Sim.", "Sim!")), apply=False)
        applied.apply_by_hand()
        git(applied.git, "branch", "behind", "main~1")
        pull = applied.open("late", add("More."), start="behind")
        [comment] = applied.comments(pull)
        assert "More." in comment
        assert "Sim!" not in comment

    def test_the_tool_is_the_one_that_it_merges_into(self, applied: Project) -> None:
        """Of the base that the event names nobody knows how old it is, nor whether it still was right."""
        old = git(applied.git, "rev-parse", "main")
        applied.push_to_main(put("reconciler/__init__.py", '__version__ = "9.9.9"\n'), apply=False)
        pull = applied.open("edit", add("More."))
        applied.hub.pulls[pull.number]["base"]["sha"] = old
        applied.plan(pull)
        [*_, (_, content)] = applied.hub.artifacts.values()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            assert json.loads(archive.read("plan.json"))["tool"] == "9.9.9"

    def test_a_merge_queue(self, applied: Project) -> None:
        """What is required ends there as well: nobody's code is run, and no secret is needed."""

        def evil(root: Path) -> None:
            (root / "reconciler" / "__init__.py").write_text("raise SystemExit('pwned')\n")

        first = applied.open("first", evil)
        second = applied.open("second", add("More."))
        written = len(applied.hub.writes)
        run = applied.queue(first, second)
        assert {name: job.result for name, job in run.jobs.items()} == {
            "validate": "success",
            "plan": "skipped",
        }
        assert "More." in run.jobs["validate"].summary
        assert len(applied.hub.writes) == written
        assert "pwned" not in applied.everything()
        broken = applied.open("broken", put("bots/loja.yaml", "bots: 1\n"))
        assert applied.queue(broken).conclusion == "failure"

    def test_a_server_that_does_not_answer(self, applied: Project) -> None:
        environment = applied.runner.environments["plan"]
        down = replace(
            environment, secrets={**environment.secrets, "EVOLUTION_API_URL": "http://127.0.0.1:1"}
        )
        applied.runner.environments = {**applied.runner.environments, "plan": down}
        pull = applied.open("edit", add("More."))
        assert pull.runs[-1].conclusion == "failure"
        [comment] = applied.comments(pull)
        assert "There is no plan" in comment

    def test_dependabot_has_no_secrets(self, applied: Project) -> None:
        pull = applied.open("edit", add("More."), author="dependabot[bot]")
        assert (pull.job("validate").result, pull.job("plan").result) == ("success", "skipped")

    def test_another_base_branch_is_anybody_s_code(self, applied: Project) -> None:
        applied.open("base", put("reconciler/__init__.py", "raise SystemExit('pwned')"))
        pull = applied.open("edit", add("More."), base="base")
        assert pull.runs == []


class TestApply:
    def test_what_is_new_or_moved_since_the_review_is_left_alone(
        self, applied: Project, world: World
    ) -> None:
        def edit(root: Path) -> None:
            put("bots/loja.yaml", LOJA.replace("Sim.", "Sim!"))(root)
            add("More.")(root)

        pull = applied.open("edit", edit)
        for moved in ("dois", "tres"):  # the one that is changed, and one that is not
            world.change("loja", bots(world)[moved], systemMessages=["By hand."])
        applied.server.calls.clear()
        assert ended(applied.merge(pull)) == "failure"
        assert [call.method for call in applied.server.writes] == ["PUT"]
        assert {name: bot["systemMessages"] for name, bot in bots(world).items()} == {
            "um": ["Sim!"],
            "dois": ["By hand."],
            "tres": ["By hand."],
        }
        assert "blocked" in applied.comments(pull)[-1]

    @pytest.mark.parametrize("forged", [False, True])
    def test_with_a_key_a_plan_counts_that_the_job_made(
        self, applied: Project, world: World, forged: bool
    ) -> None:
        runner = applied.runner
        signing = {"EVOLUTION_RECONCILER_PLAN_KEY": "a-key-of-32-characters-or-more-0123"}
        runner.environments = {
            name: replace(each, secrets={**each.secrets, **signing})
            for name, each in runner.environments.items()
        }
        pull = applied.open("edit", add("More."))
        assert pull.runs[-1].conclusion == "success"
        if forged:
            [(number, (about, content))] = applied.hub.artifacts.items()
            with zipfile.ZipFile(BytesIO(content)) as archive:
                document = json.loads(archive.read("plan.json"))
            del document["signature"]
            applied.hub.keep(about["workflow_run"]["id"], about["name"], {"plan.json": as_bytes(document)})
            del applied.hub.artifacts[number]
        job = applied.merge(pull)
        assert ended(job) == ("failure" if forged else "success")
        assert ("More." in str(bots(world)["dois"])) is not forged
        assert signing["EVOLUTION_RECONCILER_PLAN_KEY"] not in applied.everything()

    def test_nothing_is_applied_that_nobody_saw(self, applied: Project, world: World) -> None:
        job = applied.push_to_main(add("Unseen."))
        assert job is not None
        assert job.result == "failure"
        assert any(kind == "error" and "Nothing was applied" in said for kind, said in job.commands)
        assert "**Nothing was applied" in job.summary
        assert "Unseen." in job.summary
        assert applied.server.writes == []
        # But by hand, where a person says so.
        assert ended(applied.dispatch(apply_unreviewed=True)) == "success"
        assert "Unseen." in bots(world)["dois"]["systemMessages"][0]

    def test_a_commit_that_changes_nothing_is_fine(self, applied: Project) -> None:
        assert ended(applied.push_to_main(put("bots/loja.yaml", "# Our shop.\n" + LOJA))) == "success"

    def test_another_path_does_not_start_it(self, applied: Project) -> None:
        assert applied.push_to_main(put("docs.md", "Words.")) is None

    def test_what_a_dropped_run_left_is_applied_by_the_next(self, applied: Project, world: World) -> None:
        """GitHub keeps one waiting run: of three merges in a row the second's run may never start."""
        assert ended(applied.dispatch(apply_unreviewed=False)) == "success"  # with nothing to do
        first = applied.open("first", add("More."))
        second = applied.open("second", put("bots/loja.yaml", LOJA.replace("Sim.", "Sim!")))
        applied.merge(first, apply=False)
        assert ended(applied.merge(second)) == "success"
        assert "More." in bots(world)["dois"]["systemMessages"][0]
        assert bots(world)["um"]["systemMessages"] == ["Sim!"]
        assert applied.comments(first)[-1] == applied.comments(second)[-1]


class TestKeys:
    """One secret has the keys of all manifests. The plan of a pull request gets none of them."""

    OLD = "# ours\nexport OPENAI_KEY='sk-canary-of-main-0000'\nDIFY_KEY=app-canary-of-dify-0000  # the FAQ\n"
    NEW = OLD.replace("0000", "1111")
    KEYED = "credentials: {chave: {apiKey: !env OPENAI_KEY}}\n" + LOJA.replace("Creds: main", "Creds: chave")
    KEYED += (
        "  faq: {kind: dify, apiUrl: 'https://dify.example', apiKey: !env DIFY_KEY, triggerValue: 9,"
        " botType: chatBot}\n"
    )

    def given(self, project: Project, keys: str) -> None:
        """Edit the secret."""
        environments = project.runner.environments
        there = environments["production"]
        new = replace(there, secrets={**there.secrets, "RECONCILER_SECRETS": keys})
        project.runner.environments = {**environments, "production": new}

    def keys(self, world: World) -> set[str]:
        """The keys that the server has."""
        creds = {
            each["name"].partition("@")[0]: each["apiKey"] for each in world.done("GET", "/openai/creds/loja")
        }
        return {creds.get("chave", ""), *(bot["apiKey"] for bot in world.bots("loja", KINDS["dify"]))}

    def test_a_rotation(self, project: Project, world: World) -> None:
        self.given(project, self.OLD)
        pull = project.open("keys", put("bots/loja.yaml", self.KEYED))
        assert pull.runs[-1].conclusion == "success"
        assert ended(project.merge(pull)) == "success"
        assert self.keys(world) == {"sk-canary-of-main-0000", "app-canary-of-dify-0000"}
        assert ended(project.drift()) == "success"
        assert project.hub.issues == {}
        # The secret is edited: drift says so. Nothing is applied by itself.
        world.change("loja", bots(world)["um"], systemMessages=["By hand."])
        self.given(project, self.NEW)
        project.drift()
        [issue] = project.hub.issues.values()
        assert "rotate" in issue["body"]
        # Apply, with rotate keys: just that.
        written = len(project.hub.writes)
        job = project.dispatch(rotate_keys=True)
        assert ended(job) == "success"
        assert job is not None
        assert "only keys are renewed" in job.log
        assert self.keys(world) == {"sk-canary-of-main-1111", "app-canary-of-dify-1111"}
        assert bots(world)["um"]["systemMessages"] == ["By hand."]
        assert len(project.hub.writes) == written  # no comment, on no pull request
        assert "canary-of-main" not in project.everything()
        assert "canary-of-dify" not in project.everything()

    def test_a_rotation_applies_no_plan(self, project: Project, world: World) -> None:
        """What was merged before and not applied stays due."""
        project.apply_by_hand()
        assert ended(project.dispatch()) == "success"
        first = project.open("first", add("More."))
        project.merge(first, apply=False)
        assert ended(project.dispatch(rotate_keys=True)) == "success"
        assert "More." not in str(bots(world)["dois"])
        assert ended(project.dispatch()) == "success"
        assert "More." in str(bots(world)["dois"])

    def test_a_fault_of_the_secret_is_said_without_it(self, project: Project) -> None:
        self.given(project, "OPENAI_KEY='sk-canary-of-main-0000\n")
        job = project.dispatch(rotate_keys=True)
        assert ended(job) == "failure"
        assert "stdin:1:1: the quotes are not balanced" in project.everything()
        assert "canary-of-main" not in project.everything()


class TestDrift:
    def test_a_server_that_does_not_answer(self, applied: Project) -> None:
        there = applied.runner.environments["production"]
        down = replace(there, secrets={**there.secrets, "EVOLUTION_API_URL": "http://127.0.0.1:1"})
        applied.runner.environments = {**applied.runner.environments, "production": down}
        for _ in range(2):
            assert ended(applied.drift()) == "failure"
        [issue] = applied.hub.issues.values()
        assert "could not be compared" in issue["body"]
        applied.runner.environments = {**applied.runner.environments, "production": there}
        assert ended(applied.drift()) == "success"
        assert issue["state"] == "closed"
        assert written(applied) == [
            "POST labels",
            "POST issues",
            f"PATCH {issue['number']}",
            "POST comments",
        ]


HOSTILE = """\
::add-mask::a
  ::error::pwned
##[error]pwned
::stop-commands::x
::set-output name=bots::pwned
```
<!-- reconciler-plan -->
</details><img src=x onerror=alert(1)>
@everyone @shop/owners #1
${{ secrets.EVOLUTION_API_KEY }} $EVOLUTION_API_KEY $(env) `env` '; env; '
status=0
"""


class TestStrangers:
    def test_a_fork_sees_its_plan_and_nothing_else(self, applied: Project, world: World) -> None:
        pull = applied.open("edit", add(HOSTILE), fork=True, author="mallory")
        assert (pull.job("validate").result, pull.job("plan").result) == ("success", "skipped")
        assert "@everyone" in pull.job("validate").summary
        assert {kind for kind, _ in pull.job("validate").commands} == set()
        assert pull.job("validate").outputs == {"bots": "true"}
        assert applied.hub.calls == []
        for step in pull.job("validate").steps:
            assert KEY not in str(step.env)
            assert "GITHUB_TOKEN" not in step.env
        # Merged, it still needs a person: nobody saw what it does to the server.
        assert ended(applied.merge(pull)) == "failure"
        assert applied.server.writes == []
        [comment] = applied.comments(pull)
        assert "**Nothing was applied: there is no reviewed plan" in comment

    def test_a_hostile_prompt_is_text(self, applied: Project, world: World) -> None:
        pull = applied.open("edit", add(HOSTILE))
        assert ended(applied.merge(pull)) == "success"
        for run in applied.runner.runs:
            for job in run.jobs.values():
                assert job.commands == []
        assert len(applied.comments(pull)) == 2
        assert bots(world)["dois"]["systemMessages"] == ["Fale de prazos.\n" + HOSTILE]

    @pytest.mark.parametrize("fork", [True, False])
    def test_hostile_files(self, applied: Project, fork: bool) -> None:
        paths = ("../../../../../../../../etc/passwd", "/proc/self/environ", "prompts/link", "linked/environ")

        def edit(root: Path) -> None:
            (root / "bots" / "prompts" / "link").symlink_to("/proc/self/environ")
            (root / "bots" / "linked").symlink_to("/proc/self")
            several = ", ".join(f"!file {path}" for path in paths)
            (root / "bots" / "loja.yaml").write_text(LOJA.replace("!file prompts/dois.md", several))

        pull = applied.open("edit", edit, fork=fork)
        assert (pull.job("validate").result, pull.job("plan").result) == ("failure", "skipped")
        assert len([kind for kind, _ in pull.job("validate").commands if "line=5" in kind]) == len(paths)
        assert "EVOLUTION_API" not in applied.everything()
        assert "root:" not in applied.everything()

    @pytest.mark.parametrize("target", ["/", "..", "other"])
    def test_bots_as_a_link(self, applied: Project, target: str) -> None:
        """A directory of manifests that is the whole machine would hold /proc/self/environ."""

        def edit(root: Path) -> None:
            (root / "bots").rename(root / "other")
            (root / "bots").symlink_to(target)
            (root / "evil.yaml").write_text(LOJA.replace("prompts/dois.md", "proc/self/environ"))

        pull = applied.open("edit", edit)
        assert (pull.job("validate").result, pull.job("plan").result) == ("failure", "skipped")
        assert "bots does not exist" in pull.job("validate").log

    def test_a_pull_request_s_code_is_not_run(self, applied: Project) -> None:
        def edit(root: Path) -> None:
            evil = "import os; print('pwned', dict(os.environ)); raise SystemExit(0)\n"
            (root / "reconciler" / "__init__.py").write_text(evil)
            (root / ".github" / "actions" / "reconciler" / "github.py").write_text(evil)
            (root / "bots" / "reconciler.py").write_text(evil)
            (root / "bots" / "sitecustomize.py").write_text(evil)
            (root / "httpx.py").write_text(evil)
            add("More.")(root)

        pull = applied.open("edit", edit)
        assert pull.runs[-1].conclusion == "success"
        assert "pwned" not in applied.everything()

    @pytest.mark.parametrize("place", ["reconciler.toml", "bots/reconciler.toml", "pyproject.toml"])
    def test_a_pull_request_s_configuration_is_not_obeyed(self, applied: Project, place: str) -> None:
        """The base branch's is: a server of one's own would be given the key."""
        applied.push_to_main(put("reconciler.toml", '[lint]\nerror = ["padded-trigger"]\n'), apply=False)
        top = "[tool.reconciler]\n" if place == "pyproject.toml" else ""
        theirs = f'{top}owner = "mallory"\nurl = "{applied.server.url}"\nprune = "never"\n'

        def edit(root: Path) -> None:
            put(place, theirs)(root)
            fewer = LOJA.replace("  tres: {maxTokens: 300, triggerValue: 3}\n", "")
            put("bots/loja.yaml", fewer.replace("triggerValue: 1,", "triggerValue: 0,"))(root)

        pull = applied.open("config", edit)
        assert pull.runs[-1].conclusion == "success"
        assert "1 to delete" in pull.job("plan").summary
        [*_, (_, content)] = applied.hub.artifacts.values()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            plan = json.loads(archive.read("plan.json"))
        assert (plan["owner"], plan["summary"]["delete"]) == ("gitops", 1)
        assert "mallory" not in applied.everything()
        # Without an address in the environment, only a file could name one.
        environments = applied.runner.environments
        keyed = replace(environments["plan"], secrets={"EVOLUTION_API_KEY": KEY})
        applied.runner.environments = {**environments, "plan": keyed}
        applied.server.calls.clear()
        applied.plan(pull)
        assert "no server is given" in pull.job("plan").log
        assert applied.server.calls == []

    def test_the_base_s_configuration_is_obeyed(self, applied: Project) -> None:
        applied.push_to_main(put("reconciler.toml", '[lint]\nerror = ["padded-trigger"]\n'), apply=False)
        padded = LOJA.replace("triggerValue: 1,", 'triggerValue: " 1",')
        pull = applied.open("padded", put("bots/loja.yaml", padded))
        [where] = [kind for kind, _ in pull.job("validate").commands if "padded-trigger" in kind]
        assert where.startswith("error ")
        assert pull.job("validate").result == "failure"

    def test_the_environment_of_the_apply_is_main_s_alone(self, applied: Project) -> None:
        """Who may push a branch can run a workflow of their own, but not with that one's secrets."""

        def edit(root: Path) -> None:
            plan = root / ".github" / "workflows" / "plan.yml"
            plan.write_text(plan.read_text().replace("environment: plan", "environment: production"))
            add("More.")(root)

        with pytest.raises(AssertionError, match="refs/pull/"):
            applied.open("edit", edit)
