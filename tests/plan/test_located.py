"""Where a plan says that its differences are declared: from real files, by the loader and the planner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Call, Plan
from reconciler.manifests.load import load
from reconciler.plan.options import Options
from reconciler.plan.planner import make

_FILES = {
    "_defaults.yaml": """\
vars: {city: Recife}
defaults:
  openaiCreds: main
  botType: chatCompletion
  model: gpt-4o
bots:
  menu:
    maxTokens: 100
    triggerType: keyword
    triggerOperator: equals
    triggerValue: "1"
    unknownMessage: Only in ${city}.
    systemMessages:
      - !file prompts/menu.md
      - Be brief in ${city}.
""",
    "prompts/menu.md": "Be kind.",
    "loja.yaml": """\
settings:
  openaiCreds: main
bots:
  menu:
    expire: 5
  own:
    enabled: false
    maxTokens: 200
    triggerType: keyword
    triggerOperator: equals
    triggerValue: "2"
    systemMessages: [Be quick.]
""",
}


def _plan(edits: dict[str, tuple[str, str]]) -> Plan:
    """The plan of the files with edits, against a server that has them without."""
    for name, text in _FILES.items():
        path = Path("bots", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    observed = ObservedInstance(
        "loja",
        credentials={"main": RemoteCredential("c1", same=True)},
        settings={"openai": RemoteSettings(True, {"openaiCredsId": "c1"})},
    )
    made = make(load(Path("bots"), origins=False), Observed("", {"loja": observed}), Options())
    bots = tuple(
        RemoteBot(f"id-{step.bot}", step.body) for step in made.instances[0].steps if step.call is Call.CREATE
    )
    for name, (before, after) in edits.items():
        path = Path("bots", name)
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    there = Observed("", {"loja": replace(observed, bots=bots)})
    return make(load(Path("bots"), origins=False), there, Options())


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("edits", "origins", "variables"),
    [
        ({"prompts/menu.md": ("kind", "nice")}, {"menu": ("bots/prompts/menu.md",)}, {"city": "Recife"}),
        (
            {"_defaults.yaml": ("model: gpt-4o", "model: gpt-5")},
            {"menu": ("bots/_defaults.yaml:5",), "own": ("bots/_defaults.yaml:5",)},
            {},
        ),
        (
            {"_defaults.yaml": ("Only in", "Just in")},
            {"menu": ("bots/_defaults.yaml:12",)},
            {"city": "Recife"},
        ),
        (
            {"_defaults.yaml": ("Be brief", "Be terse")},
            {"menu": ("bots/_defaults.yaml:15",)},
            {"city": "Recife"},
        ),
        ({"loja.yaml": ("expire: 5", "expire: 6")}, {"menu": ("bots/loja.yaml:4",)}, {}),
        ({"loja.yaml": ("quick", "slow")}, {"own": ("bots/loja.yaml:6",)}, {}),
        (
            {"loja.yaml": ("expire: 5", "expire: 6"), "prompts/menu.md": ("kind", "nice")},
            {"menu": ("bots/prompts/menu.md", "bots/loja.yaml:4")},
            {"city": "Recife"},
        ),
    ],
)
def test_origins(
    edits: dict[str, tuple[str, str]], origins: dict[str, tuple[str, ...]], variables: dict[str, str]
) -> None:
    made = _plan(edits)
    assert {change.bot: change.origins for change in made.changes()} == origins
    assert [change.vars for change in made.changes() if change.bot == "menu"][:1] == [
        variables
    ] or "own" in origins


def test_a_create_has_no_origins() -> None:
    """Its bot has a place, and all of its values would be named."""
    made = _plan({"loja.yaml": ("  own:", "  other:")})
    [create] = [change for change in made.changes() if change.bot == "other"]
    assert (create.origins, str(create.at)) == ((), "bots/loja.yaml:6:3")


def test_an_instance_knows_its_manifest_and_who_answers() -> None:
    """The bot that is not enabled does not count, nor one that changes."""
    [instance] = _plan({}).instances
    assert (instance.manifest, instance.answering) == ("bots/loja.yaml", 1)
    [instance] = _plan({"prompts/menu.md": ("kind", "nice")}).instances
    assert instance.answering == 0
