"""Where a plan says that its differences are declared: of real files, and in tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position
from reconciler.domain.kinds import Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.origins import Trace
from reconciler.domain.plan import Call, Cause, Change, FieldChange, InstancePlan, Of, Plan, Verb
from reconciler.manifests.load import load
from reconciler.plan.located import answering, located
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from tests.plan.builders import AT

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


Places = tuple[str, ...]


@pytest.mark.parametrize(
    ("before", "after", "places", "origins"),
    [
        (1, 2, None, ("own:7",)),
        (1, 2, ("a",), ("a",)),
        (1, 2, ("",), ("own:7",)),
        ("x", "y", ("a", "b"), ("a", "b")),
        (("x", "y"), ("x", "z"), ("a", "b"), ("b",)),
        (("x", "y"), ("z", "y"), ("a", "b"), ("a",)),
        (("x",), ("x", "y", "z"), ("a", "b", "c"), ("b", "c")),
        (None, ("x", "y"), ("a", "b"), ("a", "b")),
        ("x", ("x",), ("a",), ("a",)),
        (("x", "y", "z"), ("x",), ("a",), ()),
        (("x",), ("y", "z"), ("a",), ("a",)),  # a place for the whole list
        (("x",), ("y", "z"), ("a", ""), ("a", "own:7")),
        (("x",), None, ("a",), ("a",)),
    ],
)
def test_the_places_of_a_value(before: Value, after: Value, places: Places | None, origins: Places) -> None:
    """The same with a place of the change, and without one."""
    traces = {} if places is None else {"systemMessages": Trace(places)}
    declared = DesiredInstance("loja", (DesiredBot("ana", {}, None, AT, traces=traces),), AT)
    fields = (FieldChange("systemMessages", before, after),)
    for at in (Position("own", 7, 3), None):
        change = Change("loja", "ana", Verb.UPDATE, "why", fields=fields, at=at)
        made = located(_of(change), Desired((declared,)), lambda files: "")
        [found] = made.changes()
        assert found.origins == tuple(each for each in origins if at is not None or each != "own:7")


@pytest.mark.parametrize(
    ("cause", "reason"),
    [("pending", "why (commit a, b)"), ("both", "why (commit a, b)"), ("drift", "why"), ("", "why")],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_change_that_comes_from_an_edit_names_its_commit(cause: Cause, reason: str, known: bool) -> None:
    traces = {"expire": Trace(("a:14",)), "keepOpen": Trace(("b",))}
    declared = DesiredInstance("loja", (DesiredBot("ana", {}, None, AT, traces=traces),), AT)
    fields = (FieldChange("expire", 1, 2), FieldChange("keepOpen", False, True))
    change = Change("loja", "ana", Verb.UPDATE, "why", fields=fields, cause=cause)
    made = located(_of(change), Desired((declared,)), lambda files: ", ".join(files) if known else "")
    assert [each.reason for each in made.changes()] == [reason if known else "why"]


@pytest.mark.parametrize(
    ("change", "origins", "variables"),
    [
        (
            Change("loja", "ana", Verb.UPDATE, "", fields=(FieldChange("expire", 1, 2),)),
            ("of ana",),
            {"city": "Recife"},
        ),
        (Change("loja", "bia", Verb.UPDATE, "", fields=(FieldChange("expire", 1, 2),)), (), {}),
        (Change("loja", "ana", Verb.UPDATE, ""), (), {}),
        (
            Change("loja", "ana", Verb.CREATE, "", fields=(FieldChange("expire", None, 2),)),
            (),
            {"city": "Recife"},
        ),
        (
            Change("loja", "ana", Verb.MOVE, "", fields=(FieldChange("expire", None, 2),)),
            (),
            {"city": "Recife"},
        ),
        (
            Change("loja", "", Verb.UPDATE, "", fields=(FieldChange("expire", 1, 2),), of=Of.SETTINGS),
            ("of settings",),
            {},
        ),
        (
            Change("loja", "ana", Verb.ROTATE, "", fields=(FieldChange("expire", 1, 2),), of=Of.CREDENTIAL),
            (),
            {},
        ),
        (Change("filial", "ana", Verb.UPDATE, "", fields=(FieldChange("expire", 1, 2),)), (), {}),
    ],
)
def test_whose_values_a_change_has(change: Change, origins: Places, variables: dict[str, str]) -> None:
    ana = DesiredBot("ana", {}, None, AT, traces={"expire": Trace(("of ana",), ("city", "unknown"))})
    own = DesiredSettings({}, AT, traces={"expire": Trace(("of settings",))})
    loja = DesiredInstance(
        "loja", (ana,), AT, settings={"openai": own}, vars={"city": "Recife", "other": "x"}
    )
    [found] = located(_of(change), Desired((loja,)), lambda files: "").changes()
    assert (found.origins, found.vars) == (origins, variables)
    bare = DesiredInstance("loja", (ana,), AT)
    [found] = located(_of(change), Desired((bare,)), lambda files: "").changes()
    assert found.vars == {}


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ([], 2),
        ([(Verb.UPDATE, "ana", Of.BOT)], 1),
        ([(Verb.BEFORE, "ana", Of.BOT)], 1),
        ([(Verb.CONFLICT, "ana", Of.BOT)], 2),
        ([(Verb.UPDATE, "bia", Of.BOT)], 2),
        ([(Verb.UPDATE, "ana", Of.CREDENTIAL)], 2),
        ([(Verb.UPDATE, "ana", Of.BOT), (Verb.DELETE, "caio", Of.BOT)], 0),
    ],
)
def test_how_many_bots_may_answer(changes: list[tuple[Verb, str, Of]], count: int) -> None:
    enabled = {"ana": {"enabled": True}, "bia": {"enabled": False}, "caio": {}}
    bots = tuple(DesiredBot(name, fields, None, AT) for name, fields in enabled.items())
    found = [Change("loja", name, verb, "", of=of) for verb, name, of in changes]
    assert answering(DesiredInstance("loja", bots, AT), found) == count


def _of(change: Change) -> Plan:
    return Plan("s", "gitops", (InstancePlan(change.instance, (change,)),))
