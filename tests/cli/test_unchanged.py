"""A plan that found nothing to do is remembered: as long as nothing has changed, and no longer."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.domain.servers import ServerSettings
from reconciler.pipeline import ahead, unchanged
from reconciler.pipeline.request import Request
from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, Run
from tests.support import World

SIZE = unchanged.LEAST
DEFAULTS = """\
defaults:
  {botType: chatCompletion, triggerType: keyword, triggerOperator: equals, model: gpt-4o, maxTokens: 100,
   systemMessages: [!file prompt.md]}
settings: {expire: 20, keywordFinish: "#fim", delayMessage: 1000, unknownMessage: "?", listeningFromMe: false,
  stopBotFromMe: false, keepOpen: false, debounceTime: 0, splitMessages: false, timePerChar: 0}
"""
MANIFEST = """\
instance: {name}
credentials: {{main-{number}: {{apiKey: !env OPENAI_KEY_{number}}}}}
defaults: {{openaiCreds: main-{number}}}
bots:
  um: {{triggerValue: {number}}}
"""
DIFY = "  dois: {kind: dify, botType: chatBot, apiUrl: 'http://dify', apiKey: !env DIFY_KEY}\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(SIZE):
        monkeypatch.setenv("DIFY_KEY", "app-0123456789abcdef")
        monkeypatch.setenv(f"OPENAI_KEY_{number}", f"sk-of-instance-number-{number}")


@pytest.fixture
def fleet(tmp_path: Path, world: World, run: Run) -> Path:
    """Instances of two bots, one of them Dify's, that the server has; and what was planned is remembered."""
    directory = tmp_path / "bots"
    directory.mkdir()
    (directory / "_defaults.yaml").write_text(DEFAULTS)
    (directory / "prompt.md").write_text("Seja breve.\n")
    for number in range(SIZE):
        name = f"loja {number}"
        world.instance(name)
        (directory / f"{number}.yaml").write_text(MANIFEST.format(name=name, number=number))
    world.instance("another")
    applied = run("apply", "--yes", "--bots", directory)
    assert applied.exit_code == 0, applied.stderr
    code, plan, _ = planned(run, directory)
    assert code == 0, plan
    return directory


@pytest.fixture
def request_(server: Sandbox, fleet: Path) -> Request:
    return Request(
        bots=str(fleet),
        instance=(),
        url=server.url,
        api_key=KEY,
        sandbox=False,
        allow_http=False,
        owner="gitops",
        concurrency=8,
        timeout=30.0,
        max_deletes=5,
        max_delete_share=50,
    )


def planned(run: Run, fleet: Path, *args: str, **env: str) -> tuple[int, Any, str]:
    """The exit code of a plan, its JSON and its calls."""
    result = run(
        "plan", "--bots", fleet, "--format", "json", "--detailed-exitcode", "--verbose", *args, env=env
    )
    calls = sorted(re.findall(r"(GET \S+ \d+) \d+ ms", result.stderr))
    return result.exit_code, json.loads(result.stdout or "null"), "\n".join(calls)


def afresh(run: Run, fleet: Path, *args: str, **env: str) -> tuple[int, Any, str]:
    """The same with an empty cache."""
    return planned(run, fleet, *args, XDG_CACHE_HOME=str(fleet.parent / "empty"), **env)


def remembered(fleet: Path) -> list[Path]:
    return sorted((fleet.parent / "cache" / "evolution-reconciler").glob("plan-*"))


def recalled(request: Request) -> bool:
    """Whether a plan is found, and holds."""
    known = unchanged.remembered(request)
    if known is None:
        return False
    with ahead.reading(request, known=known.paths) as reader:
        if reader is None:
            return False
        return unchanged.plan(known, reader, lambda number, of: None) is not None


def test_the_same_plan_and_calls(run: Run, fleet: Path, request_: Request) -> None:
    assert recalled(request_)
    assert planned(run, fleet) == afresh(run, fleet)
    assert recalled(replace(request_, concurrency=3, timeout=20, max_rate=500, format="json", out="x"))


def _add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


EDITS: dict[str, Callable[[Path], object]] = {
    "a manifest": lambda bots: _add(bots / "0.yaml", DIFY),
    "a comment": lambda bots: _add(bots / "0.yaml", "# x\n"),
    "one more": lambda bots: (bots / "new.yaml").write_text(MANIFEST.format(name="another", number=99)),
    "one less": lambda bots: (bots / "0.yaml").unlink(),
    "another name": lambda bots: (bots / "0.yaml").rename(bots / "00.yaml"),
    "a broken one": lambda bots: (bots / "new.yaml").write_text("bots: [\n"),
    "the folder's file": lambda bots: _add(bots / "_defaults.yaml", "silence: [oi]\n"),
    "a new folder's file": lambda bots: shutil.copytree(bots, bots / "inner"),
    "an included text": lambda bots: (bots / "prompt.md").write_text("Seja breve!\n"),
    "no included text": lambda bots: (bots / "prompt.md").unlink(),
    "a text that leads out": lambda bots: _leads_out(bots / "prompt.md"),
}


def _leads_out(path: Path) -> None:
    path.rename(path.parents[1] / "out.md")
    path.symlink_to(path.parents[1] / "out.md")


def test_a_change_of_the_manifests(
    run: Run, fleet: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_KEY_99", "sk-of-instance-number-99")
    shutil.copytree(fleet, fleet.parent / "before")
    for name, edit in EDITS.items():
        time.sleep(0.05)  # until the files are older than the plan
        assert planned(run, fleet)[0] == 0
        assert recalled(request_), name
        edit(fleet)
        assert not recalled(request_), name
        assert planned(run, fleet) == afresh(run, fleet), name
        shutil.rmtree(fleet)
        shutil.copytree(fleet.parent / "before", fleet)


def _bot(world: World) -> Any:
    return world.bots("loja 7")[0]


ON_THE_SERVER: dict[str, Callable[[World], object]] = {
    "a bot is changed": lambda world: world.change("loja 7", _bot(world), maxTokens=101),
    "a bot is marked as another owner's": lambda world: world.change("loja 7", _bot(world), description="x"),
    "a bot is deleted": lambda world: world.remove("loja 7", _bot(world)),
    "a bot is added": lambda world: world.bot("loja 7", _bot(world)["openaiCredsId"], maxTokens=7),
    "a bot of ours is on another instance": lambda world: world.bot(
        "another", world.creds("another", "x"), description="[gitops:um]"
    ),
    "a credential is added": lambda world: world.creds("loja 7", "more"),
    "the settings are changed": lambda world: world.done(
        "POST",
        "/openai/settings/loja%207",
        {name: value for name, value in world.settings("loja 7").items() if value is not None}
        | {"openaiCredsId": _bot(world)["openaiCredsId"], "expire": 21},
    ),
    "an instance is added": lambda world: world.instance("one more"),
    "an instance is deleted": lambda world: world.done("DELETE", "/instance/delete/loja%207"),
}


@pytest.mark.parametrize("what", ON_THE_SERVER)
def test_a_change_on_the_server(run: Run, fleet: Path, world: World, what: str) -> None:
    [before] = [file.read_bytes() for file in remembered(fleet)]
    ON_THE_SERVER[what](world)
    assert planned(run, fleet) == afresh(run, fleet)
    assert before not in [file.read_bytes() for file in remembered(fleet)]


def test_a_kind_is_switched_on_or_off(run: Run, fleet: Path, request_: Request, server: Sandbox) -> None:
    for off in (["typebot", "n8n", "evoai"], ["typebot", "evoai"], []):
        [before] = [file.read_bytes() for file in remembered(fleet)]
        server.options.disabled = frozenset(off)
        assert planned(run, fleet)[:2] == afresh(run, fleet)[:2]
        assert before not in [file.read_bytes() for file in remembered(fleet)]
        known = unchanged.remembered(request_)
        assert known is not None
        paths_ = known.paths()
        assert paths_ is not None
        for path in KINDS:
            asked = [one for one in paths_[""] if one.startswith(f"/{path}/find/")]
            assert len(asked) == (1 if path in off else SIZE + 1)
        assert recalled(request_)


OPTIONS: dict[str, dict[str, Any]] = {
    "owner": {"owner": "another"},
    "prune": {"prune": "never"},
    "scope": {"scope": "declared"},
    "instance": {"instance": ("loja 1",)},
    "limits": {"max_deletes": 3},
    "known": {"known_instance": ("x",)},
    "replace": {"replace": True},
    "rotate": {"rotate_keys": True},
    "key": {"api_key": "another-key-of-the-server"},
    "server": {"url": "http://127.0.0.1:1"},
    "name": {"server_name": "eu-1"},
    "target": {"target": ("um@*",)},
    "several": {"servers": (ServerSettings("eu-1"),)},
    "sandbox": {"sandbox": True},
}


def test_other_options(fleet: Path, request_: Request) -> None:
    assert recalled(request_)
    for name, options in OPTIONS.items():
        assert unchanged.remembered(replace(request_, **options)) is None, name


@pytest.mark.parametrize("name", ["OPENAI_KEY_3", "EVOLUTION_API_KEY"])
@pytest.mark.parametrize("value", ["sk-another-key-of-instance-3", "", "not a key"])
def test_another_key(
    run: Run, fleet: Path, request_: Request, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert recalled(request_)
    monkeypatch.setenv(name, value)
    given = {name: value}
    assert recalled(request_) == (name != "OPENAI_KEY_3")
    result = run("plan", "--bots", fleet, "--format", "json", env=given)
    other = run(
        "plan", "--bots", fleet, "--format", "json", env={**given, "XDG_CACHE_HOME": str(fleet.parent / "e")}
    )
    assert (result.exit_code, result.stdout, result.stderr) == (other.exit_code, other.stdout, other.stderr)


def test_what_is_kept_is_signed_and_has_no_secret(fleet: Path, request_: Request) -> None:
    [file] = remembered(fleet)
    data = file.read_bytes()
    for secret in (KEY, "sk-of-instance-number-3", "app-0123456789abcdef", "Seja breve", "gpt-4o"):
        assert secret.encode() not in data
    for damaged in (
        b"",
        data[:-1],
        data.replace(b"loja 3", b"loja 4"),
        data.split(b"\n", 1)[1],
        b"0" * 32 + data[32:],
        b"\xff" * 100,
    ):
        file.write_bytes(damaged)
        assert unchanged.remembered(request_) is None
    file.write_bytes(data)
    assert recalled(request_)


def test_a_manifest_that_changes_meanwhile(fleet: Path, request_: Request, run: Run) -> None:
    remembered(fleet)[0].unlink()
    later = time.time() + 60
    os.utime(fleet / "5.yaml", (later, later))
    assert planned(run, fleet)[0] == 0
    assert not remembered(fleet)


def test_a_small_fleet_is_not_remembered(run: Run, fleet: Path, request_: Request) -> None:
    remembered(fleet)[0].unlink()
    assert planned(run, fleet, "--instance", "loja 1")[0] == 0
    assert not remembered(fleet)


def test_the_server_is_gone(run: Run, fleet: Path, request_: Request, server: Sandbox) -> None:
    known = unchanged.remembered(request_)
    assert known is not None
    with ahead.reading(replace(request_, url="http://127.0.0.1:1"), known=known.paths) as reader:
        assert reader is not None
        assert unchanged.plan(known, reader, lambda number, of: None) is None


def test_what_a_list_of_instances_says_of_messages_does_not_matter() -> None:
    digests = unchanged.Digests("key")

    def digest(**more: object) -> str:
        row = {"name": "loja", "id": "1", "createdAt": "2026-01-01", **more}
        return digests.answer("/instance/fetchInstances", 200, json.dumps([row]).encode())

    assert digest(connectionStatus="open") == digest(_count={"Message": 7}, profileName="Loja")
    assert len({digest(), digest(id="2"), digest(name="x"), digest(createdAt="2026-01-02")}) == 4


def test_an_error_names_the_instance() -> None:
    digests = unchanged.Digests("key")

    def digest(instance: str, said: str, status: int = 404) -> str:
        return digests.answer(f"/evoai/find/{instance}", status, said.encode())

    assert digest("loja%201", "Cannot GET /evoai/find/loja%201") == digest("a", "Cannot GET /evoai/find/a")
    assert digest("loja", "x", 404) != digest("loja", "x", 400)
    assert digest("loja", "/evoai/find/loja", 200) != digest("b", "/evoai/find/b", 200)
