"""The workflows and the pipeline for a fleet in shards, made from those without.

templates/shards/ has the jobs that take the place of one job: one for each shard, by a matrix, and one that
joins what they left. What is as it was stands there as `same`: a key of the job, `if: same`, or a step by its
name, `- same: Plan`. An action without a version gets the one that the workflows pin. So each step and each
pin exists once, in the workflows without shards. GitLab's script has its parts as anchors instead.
"""

from __future__ import annotations

import re
import textwrap

from reconciler.domain.errors import ReconcilerError
from reconciler.setup.shipped import TEMPLATES, shipped

MOST = {"github": 256, "gitlab": 200}
"""The most jobs that a matrix may have there."""

_WIDTH = 118


def check(shards: int, forge: str) -> None:
    """Raises ReconcilerError for a number of shards that GitHub or GitLab cannot run."""
    title = {"github": "GitHub", "gitlab": "GitLab"}[forge]
    if not 2 <= shards <= MOST[forge]:
        raise ReconcilerError(
            f"nothing was written: --shards can be 2 to {MOST[forge]} on {title}, where each shard is a job "
            f"of a matrix, and is {shards}. To plan and apply in one job, leave it out."
        )


def workflow(name: str, shards: int) -> str:
    """One of GitHub's workflows. name: of the file, and of its last job, which is replaced."""
    text = _plain(name)
    [at] = re.finditer(rf"(?m)(?:^  #.*\n)*^  {name}:\n", text)
    job = text[at.start() :]
    made = _template(f"{name}.yml", [str(number) for number in range(1, shards + 1)])
    made = re.sub(r"(?m)^    ([\w-]+): same\n", lambda found: _key(job, found[1], "    "), made)
    made = re.sub(r"(?m)^      - same: (.+)\n", lambda found: _step(job, found[1]), made)
    made = re.sub(r"(?m)(?<=uses: )actions/[\w-]+$", lambda found: _pinned(found[0]), made)
    # The embedded server gets all bots of the base branch first.
    before = text[: at.start()].replace("timeout-minutes: 10\n", "timeout-minutes: 60\n")
    return before + made


def pipeline(text: str, shards: int) -> str:
    """GitLab's pipeline. The jobs of the template take the place of those with their names."""
    made = _template("gitlab-ci.yml", [f'"{number}/{shards}"' for number in range(1, shards + 1)])
    jobs = _jobs(text)
    made = re.sub(r"(?m)^  (\w+): same as (\S+)\n", lambda found: _key(jobs[found[2]], found[1], "  "), made)
    # By stages, as a job can need no more than 50 others.
    kept = "".join(job for name, job in jobs.items() if name not in _jobs(made))
    return kept.replace("stages: [review, apply]", "stages: [review, shards, join, apply]") + made


def _template(name: str, shards: list[str]) -> str:
    text = (TEMPLATES / "shards" / name).read_text(encoding="utf-8")

    def listed(found: re.Match[str]) -> str:
        lines = textwrap.wrap(", ".join(shards), _WIDTH - len(found[1]) - 2)
        return found[1] + "[" + f"\n{' ' * (len(found[1]) + 1)}".join(lines) + "]"

    return re.sub(r"(?m)^(.*)SHARDS$", listed, text)


def _jobs(text: str) -> dict[str, str]:
    """The entries of a pipeline by their names, each with the comment above it."""
    found = list(re.finditer(r"(?m)(?:^#.*\n)*^([\w.-]+):", text))
    ends = [*(each.start() for each in found[1:]), len(text)]
    return {each[1]: text[each.start() : end] for each, end in zip(found, ends, strict=True)}


def _key(job: str, key: str, indent: str) -> str:
    """A key of a job, with its value."""
    [found] = re.findall(rf"(?m)^{indent}{key}:.*\n(?:{indent} .*\n)*", job)
    return str(found)


def _step(job: str, name: str) -> str:
    """A step of a job, by its name or by what it uses."""
    steps = re.split(r"(?m)^(?=      - )", job)
    [found] = [step for step in steps if re.match(rf"      - (?:name|uses): {re.escape(name)}(?:@|\n)", step)]
    # What a step before it found was found by a job before it.
    return (
        str(found)
        .replace("steps.reviewed.outcome", "needs.reviewed.result")
        .replace("steps.reviewed.outputs", "needs.reviewed.outputs")
    )


def _pinned(action: str) -> str:
    """An action with the commit that plan.yml has of it."""
    return str(re.findall(rf"uses: ({re.escape(action)}@.*)", _plain("plan"))[0])


def _plain(name: str) -> str:
    return shipped(f".github/workflows/{name}.yml").decode()
