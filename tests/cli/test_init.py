"""init: what it lays out works as it is, and what was there before stays."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from importlib.metadata import EntryPoint
from io import BytesIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reconciler.domain import markers
from reconciler.domain.kinds import KINDS
from reconciler.manifests.load import load
from reconciler.setup import init, wheel
from tests.cli.conftest import ROOT, Run

_ACTION = ".github/actions/reconciler"
_OFFLINE = [
    ".gitignore",
    ".vscode/settings.json",
    "README.md",
    "bots/.manifest.schema.json",
    "bots/minha-loja.yaml",
    "bots/prompts/atendimento.md",
    "reconciler.toml",
]
_GITHUB = [
    *(f"{_ACTION}/{name}" for name in ("action.yml", "github.py", "requirements.txt")),
    *(f".github/workflows/{name}.yml" for name in ("apply", "drift", "plan")),
    *(f".github/{name}" for name in ("CODEOWNERS", "dependabot.yml", "pull_request_template.md")),
    *(f".github/rulesets/{name}.json" for name in ("main", "workflows")),
]
_GITLAB = [
    *(f".gitlab/reconciler/{name}" for name in ("gitlab.py", "install", "requirements.txt")),
    ".gitlab-ci.yml",
    ".gitlab/merge_request_templates/Default.md",
]


def _files(directory: Path) -> dict[str, bytes]:
    """Every file below the directory, but for the wheel, whose name has a version."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".whl"
    }


# -- what is laid out --------------------------------------------------------------------------


def test_what_is_laid_out(run: Run, tmp_path: Path) -> None:
    result = run("init", "--github", "new")
    assert (result.exit_code, result.stderr) == (0, "")
    files = _files(tmp_path / "new")
    assert sorted(files) == sorted([*_OFFLINE, *_GITHUB])
    written, _, told = result.stdout.partition("\n\n")
    [wheel] = (tmp_path / "new" / _ACTION).glob("*.whl")
    assert sorted(written.splitlines()) == sorted(f"+ {name}" for name in [*files, f"{_ACTION}/{wheel.name}"])
    assert "\nNext, in new:\n1. Edit bots/minha-loja.yaml." in told
    assert "README.md" in told


def test_without_what_is_for_github(run: Run, tmp_path: Path) -> None:
    told = run("init").stdout
    assert sorted(_files(tmp_path)) == _OFFLINE
    assert "GitHub" not in (tmp_path / "README.md").read_text()
    assert "reconciler init --github, or --gitlab" in told


@pytest.mark.parametrize("name", _GITHUB[:6])
def test_what_is_for_github_is_this_repository_s_own(tmp_path: Path, name: str) -> None:
    init.scaffold(tmp_path, forge="github")
    text = (tmp_path / name).read_text()
    text = re.sub('WHEEL_SHA256: "[0-9a-f]{64}"', 'WHEEL_SHA256: ""', text)
    assert text == (ROOT / name).read_text()


_PLAIN = {
    **{name: (ROOT / f".github/workflows/{name}.yml").read_text() for name in ("plan", "apply", "drift")},
    "gitlab": (ROOT / "reconciler/setup/templates/gitlab/gitlab-ci.yml").read_text(),
}


def _used(text: str) -> set[str]:
    return set(re.findall(r"uses: (.*)", text))


@pytest.mark.parametrize("shards", [2, 40, 256])
def test_shards_on_github(run: Run, tmp_path: Path, shards: int) -> None:
    """A job for each; what they use, when they start and which keys they have is as without shards."""
    assert run("init", "--github", "--shards", str(shards)).exit_code == 0
    assert sorted(_files(tmp_path)) == sorted([*_OFFLINE, *_GITHUB])
    for name in ("plan", "apply", "drift"):
        text = (tmp_path / f".github/workflows/{name}.yml").read_text()
        plain, made = (YAML(typ="safe", pure=True).load(each) for each in (_PLAIN[name], text))
        assert {**made, "jobs": {}} == {**plain, "jobs": {}}
        job = made["jobs"]["shard"]
        assert job["strategy"] == {"fail-fast": False, "matrix": {"shard": list(range(1, shards + 1))}}
        assert job["environment"] == plain["jobs"][name]["environment"]
        if name == "plan":
            assert {**made["jobs"]["validate"], "timeout-minutes": 10} == plain["jobs"]["validate"]
        assert _used(text) - _used("".join(_PLAIN.values())) == set()
        assert ": same" not in text
        assert max(map(len, text.splitlines())) < 150


@pytest.mark.parametrize("shards", [2, 200])
def test_shards_on_gitlab(run: Run, tmp_path: Path, shards: int) -> None:
    assert run("init", "--gitlab", "--shards", str(shards)).exit_code == 0
    assert sorted(_files(tmp_path)) == sorted([*_OFFLINE, *_GITLAB])
    text = (tmp_path / ".gitlab-ci.yml").read_text()
    [_, plain], [_, made] = (
        list(YAML(typ="safe", pure=True).load_all(each)) for each in (_PLAIN["gitlab"], text)
    )
    more = {"plan-shard", "reviewed", "apply-shard", "drift-shard"}
    assert set(made) == {*plain, *more}
    for name in ("plan", "apply", "drift"):
        [about] = made[f"{name}-shard"]["parallel"]["matrix"]
        [values] = about.values()
        assert values == [f"{number}/{shards}" for number in range(1, shards + 1)]
        assert made[f"{name}-shard"]["rules"] == made[name]["rules"] == plain[name]["rules"]
    assert ": same" not in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--github", "--shards", "1"), "--shards can be 2 to 256 on GitHub"),
        (("--github", "--shards", "257"), "and is 257. To plan and apply in one job, leave it out."),
        (("--gitlab", "--shards", "201"), "--shards can be 2 to 200 on GitLab"),
        (("--gitlab", "--shards", "-1"), "--shards can be 2 to 200 on GitLab"),
        (("--shards", "4"), "--shards needs --github or --gitlab."),
        (("--github", "--shards", "x"), "'x' is not a valid integer"),
    ],
)
def test_no_such_number_of_shards(run: Run, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    result = run("init", *args)
    assert result.exit_code in {1, 2}
    assert said in result.stderr
    assert _files(tmp_path) == {}


def test_it_works_as_it_is(run: Run, tmp_path: Path) -> None:
    assert run("init").exit_code == 0
    assert run("validate", "--strict").stdout == "Valid: 2 bots on 1 instance.\n"
    assert run("apply", "--sandbox", "--yes").exit_code == 0
    assert run("plan", "--sandbox", "--detailed-exitcode").exit_code == 0
    assert run("doctor", "--sandbox").exit_code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_of_each_kind(run: Run, tmp_path: Path, kind: str) -> None:
    assert run("init", "--kind", kind).exit_code == 0
    [instance] = load(tmp_path / "bots").instances
    assert {bot.kind.path for bot in instance.bots} == {kind}
    assert run("fmt", "--check").exit_code == 0
    assert run("apply", "--sandbox", "--yes").exit_code == 0
    assert run("plan", "--sandbox", "--detailed-exitcode").exit_code == 0


def test_editors_find_the_schema(tmp_path: Path) -> None:
    init.scaffold(tmp_path)
    first = (tmp_path / "bots/minha-loja.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / "bots" / named).read_text())["type"] == "object"


def test_the_readme_names_commands_and_files_that_are_there(run: Run, tmp_path: Path) -> None:
    init.scaffold(tmp_path, forge="github")
    text = (tmp_path / "README.md").read_text()
    commands = set(re.findall(r"(?:`|^ {4})reconciler ([a-z]+)\b", text, re.MULTILINE))
    assert commands >= {"validate", "apply", "plan", "doctor", "import", "init"}
    for command in commands:
        assert run(command, "--help").exit_code == 0
    for name in re.findall(r"`([a-z]+\.yml)`", text):
        assert (tmp_path / ".github/workflows" / name).exists()
    variables = set(re.findall(r"EVOLUTION_API_\w+", text))
    assert variables == {"EVOLUTION_API_URL", "EVOLUTION_API_KEY"}
    for workflow in ("plan", "apply", "drift"):
        used = (tmp_path / f".github/workflows/{workflow}.yml").read_text()
        assert f"`{re.findall(r'environment: (.*)', used)[0]}`" in text
    assert "--env production" in text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("minha-loja", "minha-loja"),
        ("Loja_1.sp", "Loja_1.sp"),
        ("loja do centro", "loja-do-centro"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b", "a-b"),
        (".", "instance"),
        ("店", "instance"),
        ("São Paulo 🛒", "s-o-paulo"),
        ("no", "no"),
        ("007", "007"),
        ("null", "null"),
        ('it\'s "x": # [1] \\ ${x} {y} %z', "it-s-x-1-x-y-z"),
        ("minha-loja-openai", "minha-loja-openai"),
        ("x" * 200, "x" * 100),
    ],
)
def test_names_of_instances(tmp_path: Path, name: str, file: str) -> None:
    done = init.scaffold(tmp_path, name)
    assert done.sample == f"bots/{file}.yaml"
    [instance] = load(tmp_path / "bots").instances
    assert instance.name == name
    assert {bot.creds for bot in instance.bots} == {f"{name}-openai"}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[31m", "x" * 201])
def test_names_that_no_instance_has(run: Run, tmp_path: Path, name: str) -> None:
    result = run("init", "--instance", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the name of the instance is invalid")
    assert _files(tmp_path) == {}


# -- what was there before ---------------------------------------------------------------------


def test_a_second_time_nothing_is_written(run: Run, tmp_path: Path) -> None:
    run("init", "--github")
    before = _files(tmp_path)
    told = run("init", "--github").stdout.partition("\n\n")[0].splitlines()
    assert {line[:2] for line in told} == {"= "}
    assert _files(tmp_path) == before


@pytest.mark.parametrize("name", [*_OFFLINE, *_GITHUB])
def test_no_file_is_overwritten(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("# mine")
    result = run("init", "--github")
    assert (result.exit_code, result.stderr != "") == (0, name.endswith("action.yml"))
    assert f"= {name} (exists, not changed)" in result.stdout.splitlines()
    assert (tmp_path / name).read_text() == "# mine"


def test_no_sample_beside_other_manifests(tmp_path: Path) -> None:
    (tmp_path / "bots" / "sul").mkdir(parents=True)
    (tmp_path / "bots" / "sul" / "loja.json").write_text('{"bots": {}}')
    assert init.scaffold(tmp_path).sample is None
    assert [instance.name for instance in load(tmp_path / "bots").instances] == ["loja"]


_OTHER = "evolution_reconciler-0.0.1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({_OTHER: b"x"}, f"{_OTHER} with the sha256 {hashlib.sha256(b'x').hexdigest()}"),
        ({_OTHER: b"x", "action.yml": b"old"}, _OTHER),
        ({wheel.build()[0]: b"x"}, hashlib.sha256(b"x").hexdigest()),
        ({wheel.build()[0]: wheel.build()[1], "action.yml": b"old"}, "was edited"),
        ({wheel.build()[0]: wheel.build()[1], _OTHER: b"x"}, _OTHER),
        ({"action.yml": b"old"}, "no wheel"),
    ],
)
def test_another_wheel_is_left_alone_and_said(
    run: Run, tmp_path: Path, there: dict[str, bytes], said: str
) -> None:
    (tmp_path / _ACTION).mkdir(parents=True)
    for name, content in there.items():
        (tmp_path / _ACTION / name).write_bytes(content)
    result = run("init", "--github")
    assert result.exit_code == 0
    assert said in result.stderr
    assert hashlib.sha256(wheel.build()[1]).hexdigest() in result.stderr
    assert "run init again" in result.stderr
    assert {path.name for path in (tmp_path / _ACTION).glob("*.whl")} == {
        name for name in there if name.endswith(".whl")
    }
    assert all((tmp_path / _ACTION / name).read_bytes() == content for name, content in there.items())


@pytest.mark.parametrize("lost", ["wheel", "action.yml", "both", "neither"])
def test_this_wheel_again(run: Run, tmp_path: Path, lost: str) -> None:
    """Also beside an action whose pins were renewed since."""
    told = run("init", "--github").stdout
    digest = hashlib.sha256(wheel.build()[1]).hexdigest()
    assert digest in told
    action, packed = tmp_path / _ACTION / "action.yml", tmp_path / _ACTION / wheel.build()[0]
    action.write_text(action.read_text() + "# More.\n")
    if lost in {"action.yml", "both"}:
        action.unlink()
    if lost in {"wheel", "both"}:
        packed.unlink()
    assert run("init", "--github").stderr == ""
    assert packed.read_bytes() == wheel.build()[1]
    assert f'WHEEL_SHA256: "{digest}"' in action.read_text()


# -- the branch and the place ------------------------------------------------------------------


def _git(directory: Path, *args: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(directory), *who, *args], check=True, capture_output=True)


def _cloned(branch: str) -> Callable[[Path], None]:
    def made(directory: Path) -> None:
        origin = directory.parent / "origin"
        _git(directory.parent, "init", "-q", "-b", branch, str(origin))
        _git(origin, "commit", "-q", "--allow-empty", "-m", "first")
        _git(origin, "branch", "main" if branch != "main" else "master")
        _git(directory.parent, "clone", "-q", str(origin), str(directory))
        _git(directory, "checkout", "-q", "-b", "feature")

    return made


def _begun(*branches: str, commit: bool = True) -> Callable[[Path], None]:
    def made(directory: Path) -> None:
        _git(directory.parent, "init", "-q", "-b", branches[0], str(directory))
        if commit:
            _git(directory, "commit", "-q", "--allow-empty", "-m", "first")
            for each in branches[1:]:
                _git(directory, "checkout", "-q", "-b", each)

    return made


def _detached(directory: Path) -> None:
    _begun("develop")(directory)
    _git(directory, "checkout", "-q", "--detach")


@pytest.mark.parametrize(
    ("made", "branch"),
    [
        (lambda directory: None, "main"),
        (_cloned("master"), "master"),
        (_cloned("develop"), "develop"),
        (_cloned("main"), "main"),
        (_cloned("release/2.x"), "release/2.x"),
        (_begun("master"), "master"),
        (_begun("develop", commit=False), "develop"),
        (_begun("true"), "true"),
        (_begun("master", "feature"), "master"),
        (_begun("develop", "feature"), "develop"),
        (_begun("live", "feature", "main"), "main"),
        (_detached, "develop"),
    ],
)
def test_the_branch(run: Run, tmp_path: Path, made: Callable[[Path], None], branch: str) -> None:
    made(tmp_path / "new")
    told = run("init", "--github", "new").stdout
    assert f"The files for GitHub are for the branch {branch}.\n" in told
    _are_for(tmp_path / "new", branch, "bots")
    assert f"`{branch}`" in (tmp_path / "new" / "README.md").read_text()


def _are_for(top: Path, branch: str, bots: str) -> None:
    files = {name: (top / f".github/workflows/{name}.yml").read_text() for name in ("plan", "apply", "drift")}
    parsed = {name: YAML(typ="safe", pure=True).load(text) for name, text in files.items()}
    on = parsed["plan"]["on"]
    assert (on["pull_request"]["branches"], on["merge_group"]) == ([branch], None)
    assert parsed["apply"]["on"]["push"] == {"branches": [branch], "paths": [f"{bots}/**"]}
    for name in ("apply", "drift"):
        assert parsed[name]["jobs"][name]["if"] == f"github.ref == 'refs/heads/{branch}'"
    for name, text in files.items():
        assert parsed[name]["env"] == {"BOTS": bots, "CONFIG": Path(bots).parent.as_posix()}
        assert branch == "main" or not re.search(r"\bmain\b", text)


def test_a_branch_that_is_named(run: Run, tmp_path: Path) -> None:
    _cloned("master")(tmp_path / "new")
    run("init", "--github", "new", "--branch", "live")
    _are_for(tmp_path / "new", "live", "bots")


@pytest.mark.parametrize("branch", ["a b", "it's", 'x"y', "$(id)", "${{x}}", "a;b", "*", "-x", "é", "a\nb"])
def test_a_branch_that_no_workflow_can_name(run: Run, tmp_path: Path, branch: str) -> None:
    result = run("init", "--github", "--branch", branch)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be used in workflows" in result.stderr
    assert _files(tmp_path) == {}
    assert run("init").exit_code == 0


@pytest.mark.parametrize("place", ["infra/zap", "Infra_2/zap.d"])
def test_below_the_top_of_a_repository(run: Run, tmp_path: Path, place: str) -> None:
    _begun("master")(tmp_path / "repo")
    result = run("init", "--github", f"repo/{place}")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "The files for GitHub are for the branch master.\n" in result.stdout
    assert f"They are in {tmp_path / 'repo'}: GitHub reads workflows only at the top" in result.stdout
    assert "+ ../../.github/workflows/apply.yml" in result.stdout.splitlines()
    top = _files(tmp_path / "repo")
    expected = [*(f"{place}/{name}" for name in _OFFLINE), *_GITHUB]
    assert sorted(name for name in top if not name.startswith(".git/")) == sorted(expected)
    _are_for(tmp_path / "repo", "master", f"{place}/bots")
    assert {
        line[:2] for line in run("init", "--github", f"repo/{place}").stdout.partition("\n\n")[0].splitlines()
    } == {"= "}


@pytest.mark.parametrize("place", ["in fra", "ação", "a'b", "a*b"])
def test_a_place_that_no_workflow_can_name(run: Run, tmp_path: Path, place: str) -> None:
    _begun("main")(tmp_path / "repo")
    result = run("init", "--github", f"repo/{place}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be used in workflows" in result.stderr
    assert not (tmp_path / "repo" / place).exists()
    assert run("init", f"repo/{place}").exit_code == 0


def test_a_link_at_the_top_is_not_followed(run: Run, tmp_path: Path) -> None:
    _begun("main")(tmp_path / "repo")
    (tmp_path / "outside").mkdir()
    (tmp_path / "repo" / ".github").symlink_to(tmp_path / "outside")
    result = run("init", "--github", "repo/zap")
    assert (result.exit_code, list((tmp_path / "outside").iterdir())) == (1, [])
    assert ".github is a link" in result.stderr


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("bots/minha-loja.yaml", "outside/x.yaml"),  # which is not there
        ("README.md", "outside/secret"),
        ("bots", "outside"),
        (".github", "outside"),
        (".github/workflows", "outside"),
        ("bots/prompts", "new"),  # itself
    ],
)
def test_no_link_is_followed(run: Run, tmp_path: Path, link: str, target: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("mine")
    (tmp_path / "new" / link).parent.mkdir(parents=True)
    (tmp_path / "new" / link).symlink_to(tmp_path / target)
    result = run("init", "--github", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{link} is a link" in result.stderr
    assert _files(tmp_path / "outside") == {"secret": b"mine"}
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file() and not path.is_symlink()] == []


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("new", "the target is not a directory"),
        ("new/bots", "bots is not a directory"),
        ("new/.github/workflows", ".github/workflows is not a directory"),
    ],
)
def test_a_file_in_a_directory_s_place(run: Run, tmp_path: Path, there: str, said: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("mine")
    result = run("init", "--github", "new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert _files(tmp_path) == {there: b"mine"}


def test_a_directory_in_a_file_s_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    result = run("init")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "README.md is not a file" in result.stderr


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        ("x" * 300, "File name too long"),
        ("/dev/null/new", "Not a directory"),
        ("loop", "Error: "),
    ],
)
def test_a_directory_that_cannot_be_made(run: Run, tmp_path: Path, directory: str, said: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    result = run("init", directory)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


# -- the wheel ---------------------------------------------------------------------------------


def test_the_wheel_is_one(tmp_path: Path) -> None:
    name, content = wheel.build()
    assert (name, content) == wheel.build()
    assert re.fullmatch(r"evolution_reconciler-[\d.]+-py3-none-any\.whl", name)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [record] = [name for name in files if name.endswith(".dist-info/RECORD")]
    listed = {line.rsplit(",", 2)[0]: line.rsplit(",", 2)[1:] for line in files[record].decode().splitlines()}
    assert listed.keys() == files.keys()
    for name, (digest, size) in listed.items():
        if name != record:
            hashed = urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={hashed}", str(len(files[name])))
    assert not [name for name in files if "__pycache__" in name]
    [scripts] = [name for name in files if name.endswith(".dist-info/entry_points.txt")]
    [script] = files[scripts].decode().splitlines()[1:]
    name, target = script.split(" = ")
    assert callable(EntryPoint(name, target, "console_scripts").load())


def test_the_wheel_holds_all_of_the_tool(tmp_path: Path) -> None:
    """From the wheel alone, init lays out the same again, the wheel among it."""
    name, content = wheel.build()
    (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / name) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "there").mkdir()
    init.scaffold(tmp_path / "here" / "new", forge="github")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-P", "-m", "reconciler", "init", "--github", "new"]
    subprocess.run(command, cwd=tmp_path / "there", env=env, capture_output=True, check=True)
    assert _files(tmp_path / "there/new") == _files(tmp_path / "here/new")
    assert (tmp_path / "there/new" / _ACTION / name).read_bytes() == content


# -- the owner ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "owner"),
    [
        ("Loja do Centro", "loja-do-centro"),
        ("São_Paulo.bots", "sao_paulo.bots"),
        ("007", "bots-007"),
        ("店", "gitops"),
        ("x" * 31 + "-y", "x" * 31),
        ('a"\n]b', "a-b"),
    ],
)
def test_the_owner_is_named_after_the_directory(tmp_path: Path, directory: str, owner: str) -> None:
    init.scaffold(tmp_path / directory)
    config = tomllib.loads((tmp_path / directory / "reconciler.toml").read_text())
    assert config == {"owner": owner, "prune": "reviewed"}
    assert markers.OWNER.fullmatch(owner)


@pytest.mark.parametrize(
    ("url", "owner"),
    [
        ("https://github.com/shop/Zap-Bots.git", "zap-bots"),
        ("git@github.com:shop/zap", "zap"),
        ("https://user:secret-token@example.com", "here"),
        ("", "here"),
    ],
)
def test_the_owner_is_named_after_the_remote(tmp_path: Path, url: str, owner: str) -> None:
    top = tmp_path / "here"
    _begun("main")(top)
    if url:
        _git(top, "remote", "add", "origin", url)
    init.scaffold(top)
    assert tomllib.loads((top / "reconciler.toml").read_text()) == {"owner": owner, "prune": "reviewed"}
    init.scaffold(top / "below" / "zap")
    assert tomllib.loads((top / "below/zap/reconciler.toml").read_text()) == {
        "owner": "zap",
        "prune": "reviewed",
    }


def test_bots_that_exist_keep_their_owner(tmp_path: Path) -> None:
    """Another owner's bots would not be touched any more."""
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "loja.yaml").write_text("bots: {}\n")
    init.scaffold(tmp_path)
    assert tomllib.loads((tmp_path / "reconciler.toml").read_text()) == {
        "owner": "gitops",
        "prune": "reviewed",
    }


# -- GitHub and GitLab ---------------------------------------------------------------------------


def test_for_gitlab(run: Run, tmp_path: Path) -> None:
    result = run("init", "--gitlab")
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(_files(tmp_path)) == sorted([*_OFFLINE, *_GITLAB])
    digest = hashlib.sha256(wheel.build()[1]).hexdigest()
    assert f'WHEEL_SHA256="{digest}"' in (tmp_path / ".gitlab/reconciler/install").read_text()
    assert (tmp_path / ".gitlab/reconciler" / wheel.build()[0]).read_bytes() == wheel.build()[1]
    assert "GitHub" not in (tmp_path / "README.md").read_text()
    assert (tmp_path / ".gitlab-ci.yml").read_text() == (
        ROOT / "reconciler/setup/templates/gitlab/gitlab-ci.yml"
    ).read_text()


def test_for_gitlab_below_the_top_of_a_repository(run: Run, tmp_path: Path) -> None:
    _begun("master")(tmp_path / "repo")
    assert run("init", "--gitlab", "repo/infra/zap").exit_code == 0
    pipeline = (tmp_path / "repo" / ".gitlab-ci.yml").read_text()
    assert "BOTS: infra/zap/bots #" in pipeline
    assert "CONFIG: infra/zap #" in pipeline
    assert "- bots/**/*" not in pipeline


@pytest.mark.parametrize("options", [["--github", "--gitlab"], ["--run"], ["--gitlab", "--run"]])
def test_options_that_do_not_fit(run: Run, tmp_path: Path, options: list[str]) -> None:
    assert run("init", *options).exit_code != 0
    assert _files(tmp_path) == {}


_GH = """\
#!{python}
import json, os, pathlib, sys
args = sys.argv[1:]
with open("{calls}", "a") as calls:
    print(json.dumps([args, sys.stdin.read()]), file=calls)
if args[:2] == ["api", "user"]:
    print("4711")
refused = json.loads(os.environ.get("REFUSED", "[]"))
for word, said in refused:
    if any(word in each for each in args):
        sys.exit("gh: " + said)
"""

_REVIEWERS, _UPGRADE = (
    ["reviewers", "Validation Failed (HTTP 422)"],
    ["/environments/", "Not Found (HTTP 404)"],
)


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """A gh that notes what it is asked. Returns the commands so far, each with what it read from stdin."""
    calls, program = tmp_path / "calls.txt", tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(_GH.format(python=sys.executable, calls=calls))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return lambda: [[*args, given] for args, given in map(json.loads, calls.read_text().splitlines())]


def test_what_is_printed_is_what_runs(
    run: Run, tmp_path: Path, environment: dict[str, str], gh: Callable[[], list[list[str]]]
) -> None:
    printed = run("init", "--github", "new").stdout
    commands = [line.strip() for line in printed.splitlines() if line.startswith("    ")]
    assert all(line in (tmp_path / "new" / "README.md").read_text() for line in commands)
    script = "set -e\n" + "\n".join(commands)
    env = {**os.environ, **environment}
    subprocess.run(["bash", "-c", script], check=True, cwd=tmp_path / "new", env=env)
    typed = [call for call in gh() if call[:2] != ["api", "user"]]
    (tmp_path / "calls.txt").unlink()
    result = run("init", "--github", "--run", "new")
    assert (result.exit_code, result.stderr) == (0, "")
    ran = gh()
    assert ran[0][:2] == ["api", "user"]
    keyed = environment["EVOLUTION_API_KEY"]
    assert [[each.strip() for each in call] for call in typed] == ran[1:]
    secrets = [call for call in ran if call[0] == "secret"]
    assert [call[2:] for call in secrets if call[2].endswith("KEY")] == [
        ["EVOLUTION_API_KEY", "--env", name, keyed] for name in ("plan", "production")
    ]
    assert not any(keyed in each for call in ran for each in call[:-1])
    assert "reviewers[][id]=4711" in ran[2]
    ruleset = json.loads((tmp_path / "new" / ran[-1][-2]).read_text())
    [checks] = [rule for rule in ruleset["rules"] if rule["type"] == "required_status_checks"]
    names = {each["context"] for each in checks["parameters"]["required_status_checks"]}
    assert names == set(
        YAML(typ="safe").load((tmp_path / "new/.github/workflows/plan.yml").read_text())["jobs"]
    )


@pytest.mark.parametrize(
    ("refused", "code", "said", "secrets"),
    [
        ([], 0, "first apply", 4),
        ([_REVIEWERS], 0, "cannot have reviewers for the environment plan", 4),
        ([_REVIEWERS, _UPGRADE], 1, "environments cannot be set up. A private repository on GitHub Free", 0),
        ([["rulesets", "Name must be unique (HTTP 422)"]], 0, "first apply", 4),
        ([["rulesets", "Resource not accessible (HTTP 403)"]], 1, "Resource not accessible (HTTP 403)", 4),
        ([["user", "To get started with GitHub CLI, please run: gh auth login"]], 1, "gh auth login", 0),
    ],
)
def test_what_a_plan_of_github_does_not_have(
    run: Run, gh: Callable[[], list[list[str]]], refused: list[list[str]], code: int, said: str, secrets: int
) -> None:
    result = run("init", "--github", "--run", env={"REFUSED": json.dumps(refused)})
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert sum(call[0] == "secret" for call in gh()) == secrets


def test_without_the_server_nothing_is_set_up(
    run: Run, gh: Callable[[], list[list[str]]], tmp_path: Path
) -> None:
    result = run("init", "--github", "--run", env={"EVOLUTION_API_KEY": None})
    assert result.exit_code == 1
    assert "set EVOLUTION_API_KEY" in result.stderr
    assert not (tmp_path / "calls.txt").exists()
