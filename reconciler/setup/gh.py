"""The commands that set up a repository on GitHub, for a person to type, or run by `gh` itself.

No secret is an argument of a command: values come from variables of the environment, through stdin.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass, replace
from reconciler.domain.servers import ServerSettings
from reconciler.domain.text import listed

RULESETS = ".github/rulesets"
ENVIRONMENTS = {"plan": "refs/pull/*/merge", "production": ""}
"""By name the refs that may use it; "" for the branch that is applied."""

SECRETS = ("EVOLUTION_API_URL", "EVOLUTION_API_KEY")
"""The address and the key of the only server."""

_ME = ("gh", "api", "user", "--jq", ".id")
_REVIEWER = "reviewers[][id]="
_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One command. variable: of the environment, whose value is its stdin. instead: where it is refused."""

    argv: tuple[str, ...]
    variable: str = ""
    instead: Step | None = None

    def __str__(self) -> str:
        words = [
            f'"{each}$({shlex.join(_ME)})"' if each == _REVIEWER else shlex.quote(each) for each in self.argv
        ]
        given = f"printenv {self.variable} | " if self.variable else ""
        return given + " ".join(words)


def secrets(servers: Iterable[ServerSettings]) -> tuple[str, ...]:
    """What the workflows need of these servers: the key of each, and the address of one that has none."""
    named = [
        name for one in servers for name in (*(() if one.url else (one.url_variable,)), one.key_variable)
    ]
    return tuple(named) or SECRETS


def few(secrets: Sequence[str]) -> str:
    """Their names in a sentence: the first ones, where they are many."""
    return listed(secrets) if len(secrets) < 4 else f"{', '.join(secrets[:2])} and {len(secrets) - 2} more"


def steps(branch: str, secrets: Iterable[str]) -> Iterator[Step]:
    """All commands, in order: the rules for the branch come last, as they refuse a push."""
    put = ("gh", "api", "--silent", "--method")
    of = "repos/{owner}/{repo}"
    yield Step((*put, "PUT", f"{of}/actions/permissions/workflow", "-f", "default_workflow_permissions=read"))
    for name, refs in ENVIRONMENTS.items():
        environment = Step(
            (
                *(*put, "PUT", f"{of}/environments/{name}"),
                *("-F", "deployment_branch_policy[protected_branches]=false"),
                *("-F", "deployment_branch_policy[custom_branch_policies]=true"),
            )
        )
        if name == "plan":
            reviewed = (*environment.argv, "-F", "reviewers[][type]=User", "-F", _REVIEWER)
            environment = Step(reviewed, instead=environment)
        yield environment
        policies = f"{of}/environments/{name}/deployment-branch-policies"
        yield Step((*put, "POST", policies, "-f", f"name={refs or branch}"))
    for name in ENVIRONMENTS:
        for variable in secrets:
            yield Step(("gh", "secret", "set", variable, "--env", name), variable)
    yield Step((*put, "POST", f"{of}/rulesets", "--input", f"{RULESETS}/main.json"))


NO_REVIEWERS = (
    "This repository cannot have reviewers for the environment plan: in a private one that takes GitHub "
    "Enterprise. Whoever can push a branch can change plan.yml there and read the key. With GitHub Team, "
    "prevent it: gh api --silent --method POST 'repos/{owner}/{repo}/rulesets' --input "
    f"{RULESETS}/workflows.json"
)

NO_ENVIRONMENTS = (
    "the environments cannot be set up. A private repository on GitHub Free has neither these nor rulesets: "
    "whoever can push can read the server's key there. Make it one of a Team, or let only those push who "
    "may have the key, and set the secrets for the whole repository:"
)

_THERE = ("HTTP 303", "already exists", "must be unique", "has already been taken")
"""What GitHub answers where a run before has done it."""


def run(top: Path, branch: str, secrets: Sequence[str], say: Callable[[str], object]) -> None:
    """Run the commands in the repository. Raises ReconcilerError for the first that fails.

    say: takes each command before it is run, and what a person has to know.
    """
    if missing := [name for name in secrets if not os.environ.get(name)]:
        which = "which becomes a secret" if len(missing) == 1 else "which become secrets"
        raise ReconcilerError(f"nothing was set up: set {few(missing)}, {which} on GitHub.")
    me = _run(top, _ME)
    if me.returncode:
        raise ReconcilerError(f"nothing was set up: {_why(me)}")
    for each in steps(branch, secrets):
        step = _filled(each, me.stdout.strip())
        say(str(step))
        done = _run(top, step.argv, os.environ.get(step.variable, ""))
        if done.returncode and step.instead is not None and not _is_there(done):
            say(str(step.instead))
            done = _run(top, step.instead.argv)
            if not done.returncode:
                say(NO_REVIEWERS)
        if done.returncode and not _is_there(done):
            if any("environments/" in each or each == "--env" for each in step.argv):
                whole = "".join(f"\n    printenv {name} | gh secret set {name}" for name in secrets)
                raise ReconcilerError(f"{NO_ENVIRONMENTS}{whole}\nGitHub said: {_why(done)}")
            raise ReconcilerError(
                f"a command failed: {_why(done)}\nWhat ran before it is done. Run this again."
            )


def _filled(step: Step, me: str) -> Step:
    return replace(step, argv=tuple(each + me if each == _REVIEWER else each for each in step.argv))


def _run(top: Path, argv: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  gh, with the arguments above
            argv, cwd=top, input=given, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except FileNotFoundError:
        raise ReconcilerError("gh is not installed: see https://cli.github.com.") from None
    except subprocess.TimeoutExpired:
        raise ReconcilerError(f"gh did not answer in {_TIMEOUT} seconds.") from None


def _is_there(done: subprocess.CompletedProcess[str]) -> bool:
    return any(said in done.stdout + done.stderr for said in _THERE)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines() or [f"gh ended with {done.returncode}"]
    return lines[-1][:300]
