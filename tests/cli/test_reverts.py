"""A revert is a revert: random chains of manifests, m0, m1 and m0 again, each reviewed and applied."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.cli.repo import KEYS, NAMES, Repo
from tests.support import World, often

_OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "description": st.sampled_from(["Menu", "Front desk"]),
    "systemMessages": st.sampled_from([["Sim."], ["Sim.", "Não."]]),
    "userMessages": st.just(["Oi"]),
    "expire": st.integers(0, 9),
    "keywordFinish": st.sampled_from(["sair", "tchau"]),
    "delayMessage": st.integers(1, 9),
    "unknownMessage": st.just("?"),
    "keepOpen": st.booleans(),
    "debounceTime": st.integers(0, 9),
    "enabled": st.booleans(),
    "splitMessages": st.booleans(),
    "timePerChar": st.integers(0, 99),
    "ignoreJids": st.just(["@g.us"]),
}


@st.composite
def _bot(draw: st.DrawFn, number: int, instance: str) -> dict[str, Any]:
    bot: dict[str, Any] = {"openaiCreds": f"{instance}-key"}
    if draw(st.integers(0, 4)):
        bot |= {"botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 100 + number}
    else:
        bot |= {"botType": "assistant", "assistantId": f"asst_{instance}_{number}"}
    match draw(st.sampled_from(["keyword", "none", "advanced"])):
        case "keyword":
            bot |= {"triggerType": "keyword", "triggerOperator": "equals", "triggerValue": str(number)}
        case "advanced":
            bot |= {"triggerType": "advanced", "triggerValue": f"contains:{number}"}
        case _:
            bot |= {"triggerType": "none"}
    fields = draw(st.lists(st.sampled_from(sorted(_OPTIONAL)), unique=True, max_size=5))
    return bot | {name: draw(_OPTIONAL[name]) for name in fields}


@st.composite
def _manifests(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for instance in NAMES:
        numbers = draw(st.lists(st.integers(0, 3), unique=True, max_size=3))
        bots = {f"b{n}": draw(_bot(n, instance)) for n in sorted(numbers)}
        # The settings of both, so that what a create copies from them is declared on every step of the chain.
        declared = {"openaiCreds": f"{instance}-key", "expire": draw(st.integers(0, 9))}
        more: bool = draw(st.booleans())
        if more:
            declared["delayMessage"] = draw(st.integers(1, 9))
        fallback: str | None = draw(st.sampled_from([None, *sorted(bots)]))
        if fallback is not None:
            declared["fallback"] = fallback
        found[instance] = {
            "instance": instance,
            "settings": declared,
            "bots": bots,
        }
    return found


@settings(max_examples=often(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=_manifests(), second=_manifests())
def test_a_revert_is_a_revert(
    first: dict[str, Any],
    second: dict[str, Any],
    server: Sandbox,
    tmp_path_factory: Any,
    run: Run,
    world: World,
) -> None:
    server.clear()
    for name in NAMES:
        world.instance(name)
        world.creds(name, f"{name}-key", KEYS[name])
    repo = Repo(tmp_path_factory.mktemp("repo"), run, world)
    everything = ("--max-deletes", "99", "--max-delete-share", "100")
    repo.write({"loja": {"bots": {}}})
    repo.write(first)
    repo.merge(*everything)
    before = repo.state()
    repo.write(second)
    repo.merge(*everything)
    repo.write(first)
    repo.merge(*everything)
    assert repo.state() == before
    last = repo.plan()
    assert not last["pending"], last["summary"]
