"""What installs and runs the tool elsewhere: the package, the image, the CronJob, the hooks of pre-commit."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from reconciler.cli.commands import main

_ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_DOCKERFILE = (_ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def _yaml(path: str) -> Any:
    return YAML(typ="safe", pure=True).load((_ROOT / path).read_text(encoding="utf-8"))


def _parsed(line: list[str]) -> None:
    """Fails unless this is a command with options that it has."""
    program, command, *args = line
    assert program == "reconciler"
    main.commands[command].make_context(command, args, resilient_parsing=False).close()


def test_the_package_has_both_names_of_the_command() -> None:
    """`uvx NAME` and `pipx run NAME` run the command that is called as the package is."""
    scripts = {
        script.name: script.value
        for script in distribution("evolution-reconciler").entry_points.select(group="console_scripts")
    }
    assert scripts == _PROJECT["project"]["scripts"]
    assert scripts["reconciler"] == scripts[_PROJECT["project"]["name"]]


class TestImage:
    def test_every_base_is_pinned(self) -> None:
        bases = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
        assert len(bases) == 2
        assert all(re.fullmatch(r"python:3\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}", base) for base in bases)
        assert len(set(bases)) == 1, "what is built runs where it was built"

    def test_it_does_not_run_as_root(self) -> None:
        last = _DOCKERFILE.rpartition("\nFROM ")[2]
        assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["65532:65532"]
        assert "\nENTRYPOINT [" in last.partition("\nUSER ")[2]

    def test_it_copies_what_the_package_is_built_from(self) -> None:
        copied = [
            source
            for line in re.findall(r"^COPY (?!--from)(.*)$", _DOCKERFILE, re.MULTILINE)
            for source in line.split()[:-1]
        ]
        ignored = (_ROOT / "deploy" / "Dockerfile.dockerignore").read_text()
        let_in = re.findall(r"^!(.*)$", ignored, re.MULTILINE)
        project = _PROJECT["project"]
        needed = ["pyproject.toml", project["readme"], *project["license-files"], "reconciler/__init__.py"]
        needed += _PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
        for path in needed:
            assert any(Path(path).is_relative_to(each) for each in copied), path
            assert any(Path(path).is_relative_to(each) for each in let_in), path
        assert all((_ROOT / path).exists() for path in [*copied, *let_in])

    def test_its_dependencies_are_the_locked_ones(self) -> None:
        assert "COPY .github/actions/reconciler/requirements.txt" in _DOCKERFILE
        installs = re.findall(r"pip .*?install (.*?)(?:\n[A-Z]|\Z)", _DOCKERFILE, re.DOTALL)
        assert len(installs) == 2
        assert all("--require-hashes" in each or "--no-index" in each for each in installs)


class TestCronJob:
    pod: Any = _yaml("deploy/kubernetes/drift.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    def test_it_only_reads(self) -> None:
        [container] = self.pod["containers"]
        assert container["args"] == ["plan", "--detailed-exitcode"]
        _parsed(["reconciler", *container["args"]])
        assert "command" not in container, "the image's entry point is the tool"

    def test_it_has_no_rights(self) -> None:
        assert self.pod["automountServiceAccountToken"] is False
        assert self.pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {self.pod['securityContext']['runAsUser']}:" in _DOCKERFILE
        for container in [*self.pod["initContainers"], *self.pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }

    def test_only_the_plan_has_the_key(self) -> None:
        assert "envFrom" in self.pod["containers"][0]
        assert not {"env", "envFrom"} & set(self.pod["initContainers"][0])

    def test_the_manifests_lie_where_the_tool_looks(self) -> None:
        [directory] = re.findall(r"^WORKDIR (/work)$", _DOCKERFILE, re.MULTILINE)
        assert self.pod["initContainers"][0]["command"][-1] == directory
        assert f"GIT_CONFIG_VALUE_0={directory}\n" in _DOCKERFILE
        for container in [*self.pod["initContainers"], *self.pod["containers"]]:
            mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert set(mounted) == {directory, re.findall(r"HOME=(\S+)", _DOCKERFILE)[0]}
            assert set(mounted.values()) == {volume["name"] for volume in self.pod["volumes"]}


@pytest.mark.parametrize("hook", _yaml(".pre-commit-hooks.yaml"), ids=lambda hook: hook["id"])
class TestHook:
    def test_it_runs(self, hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(_ROOT / "bots", tmp_path / "bots")
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("EVOLUTION_API_URL", raising=False)
        program, *args = shlex.split(hook["entry"])
        assert program in _PROJECT["project"]["scripts"]
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output
        (tmp_path / "bots" / "suporte.yaml").write_text("bots: [\n")
        assert CliRunner().invoke(main, args).exit_code == 1

    def test_it_is_described(self, hook: Any) -> None:
        assert set(hook) == {"id", "name", "description", "entry", "language", "files", "pass_filenames"}
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)
        assert re.search(hook["files"], "bots/prompts/loja.md")
        assert not re.search(hook["files"], "src/bots/loja.yaml")
        assert isinstance(main.commands[hook["entry"].split()[1]], click.Command)
