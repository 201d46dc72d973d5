"""What the steps of an apply know of each other: pure values, without a call."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from reconciler.apply import bot_steps
from reconciler.apply.bot_table import BotTable
from reconciler.apply.outcomes import Outcomes
from reconciler.apply.state import NotAppliedError, Shared, State, Stop, explained
from reconciler.domain.desired import Fields, SecretRef, UrlRef
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.hidden import of_ref
from reconciler.domain.kinds import OPENAI
from reconciler.domain.plan import NEW_BOT, NEW_CREDENTIAL, Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.results import Outcome, Result
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from reconciler.manifests.secrets import SecretError
from reconciler.sandbox import Sandbox
from tests.plan.builders import remote
from tests.support import World

ANA, EVA = remote("i1", "x"), remote("i2", "y")


def read(ref: SecretRef, name: str) -> SecretStr:
    if ref.name != "URL":
        raise SecretError(f"{ref.name} is not set")
    return SecretStr("https://e.x/?token=1")


def state(*changes: Change, steps: tuple[Step, ...] = ()) -> State:
    instance = InstancePlan("loja", changes, steps)
    plan = Plan("http://127.0.0.1:1", "gitops", (instance,))
    client = Client(Server(plan.server, "key"))
    return State(Shared(client, plan, Stop(), read, lambda error: None), instance)


def change(bot: str, verb: Verb = Verb.UPDATE, *ids: str, of: Of = Of.BOT, before: object = None) -> Change:
    return Change("loja", bot, verb, "", ids, before=before, of=of)  # type: ignore[arg-type]  # or None


def test_only_what_is_written_has_a_result_and_only_bots_are_expected() -> None:
    found = state(
        change("ana", Verb.UPDATE, "i1", before=ANA),
        change("eva", Verb.ORPHAN, "i2", before=EVA),
        change("new", Verb.CREATE),
        change("", Verb.UPDATE, of=Of.SETTINGS, before=remote("", "x")),
    )
    assert list(found.changes) == ["ana", "new", "the settings"]
    assert found.expected == {"i1": ANA.fields}
    assert (found.name, found.results, found.made, found.halfway) == ("loja", {}, {}, {})


def test_whose_bot_it_is() -> None:
    found = state(
        change("main", Verb.ROTATE, "i1", of=Of.CREDENTIAL),
        change("ana", Verb.UPDATE, "i1"),
        change("eva", Verb.REPLACE, "i2"),
        change("new", Verb.CREATE),
    )
    found.made = {"new": "i9", "eva": "i8"}
    assert {id: found.label(id) for id in ("i1", "i2", "i8", "i9", "i7")} == {
        "i1": "ana",
        "i2": "eva",
        "i8": "eva",
        "i9": "new",
        "i7": None,
    }


def test_which_changes_set_the_fallback() -> None:
    steps = (
        Step(Call.CREATE, "ana", None, {}),
        Step(Call.FALLBACK, "ana", None, {}),
        Step(Call.FALLBACK, "the settings", None, {}),
    )
    found = state(steps=steps)
    assert found.fallbacks == {"ana", "the settings"}
    assert state(steps=steps[:1]).fallbacks == frozenset()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_what_was_applied_is_undone(outcome: Outcome) -> None:
    ana = change("ana")
    found = state(ana)
    found.undone("ana", "it is gone")
    assert found.results == {}
    found.results["ana"] = before = Result(ana, outcome, "it was so", "i1")
    found.undone("ana", "it is gone")
    undone = Result(ana, Outcome.FAILED, "it is gone", "i1")
    assert found.results == {"ana": undone if outcome is Outcome.APPLIED else before}


def step(**body: object) -> Step:
    fields: Fields = body  # type: ignore[assignment]  # values of a bot
    return Step(Call.UPDATE, "ana", "i1", fields, why="why")


def test_ids_stand_in_the_place_of_what_was_made() -> None:
    found = state()
    found.shared.credentials["main@2"] = "c9"
    found.made["eva"] = "i9"
    made = found.resolved(step(openaiCredsId=f"{NEW_CREDENTIAL}main@2", fallbackId=f"{NEW_BOT}eva", expire=1))
    assert made == step(openaiCredsId="c9", fallbackId="i9", expire=1)
    assert found.resolved(step(openaiCredsId="c1", fallbackId="")) == step(openaiCredsId="c1", fallbackId="")
    other = step(openaiCredsId=f"{NEW_BOT}eva", fallbackId=f"{NEW_CREDENTIAL}main@2")
    assert found.resolved(other) == other
    assert found.resolved(step(expire=1)) == step(expire=1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"openaiCredsId": f"{NEW_CREDENTIAL}main@2"},
            "it needs the credential main@2, which was not created",
        ),
        ({"fallbackId": f"{NEW_BOT}eva"}, "it needs the bot eva, which was not created"),
    ],
)
def test_what_was_not_made_is_waited_for_by_nobody(body: dict[str, str], said: str) -> None:
    found = state()
    found.shared.credentials["eva"] = found.made["main@2"] = "i1"
    with pytest.raises(NotAppliedError) as error:
        found.resolved(step(**body))
    assert (error.value.outcome, error.value.detail, str(error.value)) == (Outcome.SKIPPED, said, said)


def test_a_value_that_is_found_elsewhere_is_read_when_its_step_comes() -> None:
    found = state()
    made = found.resolved(step(functionUrl=of_ref(UrlRef("env", "URL"))))
    assert getattr(made.body["functionUrl"], "real", None) == "https://e.x/?token=1"
    with pytest.raises(NotAppliedError, match="OTHER is not set") as error:
        found.resolved(step(functionUrl=of_ref(UrlRef("env", "OTHER"))))
    assert error.value.outcome is Outcome.FAILED


# -- when the bots are read --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("took", "later", "call", "waits"),
    [
        (0.1, 4.9, Call.UPDATE, False),
        (0.1, 5.1, Call.UPDATE, True),
        (0.1, 5.1, Call.MOVE, True),
        (0.1, 5.1, Call.DELETE, True),
        (0.1, 5.1, Call.CREATE, False),
        (2.0, 39.9, Call.UPDATE, False),
        (2.0, 40.1, Call.UPDATE, True),
    ],
)
def test_bots_that_were_read_long_ago_are_read_before_one_is_changed(
    took: float, later: float, call: Call, waits: bool
) -> None:
    """A read that takes long is made less often, so that no run reads for most of its time."""
    with Sandbox() as sandbox, World(sandbox.url, sandbox.api_key) as world:
        world.instance("loja")
        times = iter([100.0, 100.0 + took, 100.0 + took + later])
        found = state(change("ana", Verb.UPDATE, "i1"))

        async def read() -> None:
            async with Client(Server(sandbox.url, sandbox.api_key)) as client:
                found.bots = BotTable(client, "loja", "gitops", OPENAI, clock=lambda: next(times))
                assert bot_steps.waits(found, step())
                await found.bots.read()

        asyncio.run(read())
    assert bot_steps.waits(found, replace(step(), call=call)) is waits


# -- the end of a run --------------------------------------------------------------------------


def test_a_stop_is_checked_and_the_first_reason_stays() -> None:
    stop = Stop()
    assert not stop.asked
    stop.check()
    stop.lost()
    assert (stop.asked, stop.reason) == (True, "the server cannot be reached")
    with pytest.raises(NotAppliedError) as error:
        stop.check()
    assert error.value.outcome is Outcome.NOT_ATTEMPTED
    assert error.value.detail == "the run ended early: the server cannot be reached"
    asked = Stop(15, "it was asked to")
    asked.lost()
    assert asked.reason == "it was asked to"


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("No", "No. So it is"),
        ("No.", "No. So it is"),
        ("No!", "No! So it is"),
        ("No?", "No? So it is"),
        ("No…", "No… So it is"),
        ("No…)", "No…). So it is"),
        ("", ". So it is"),
    ],
)
def test_two_sentences(said: str, whole: str) -> None:
    assert explained(ReconcilerError(said), "So it is") == whole


def test_a_crash_keeps_the_old_credentials_of_its_instance() -> None:
    found = state(change("main", Verb.ROTATE, "c1", of=Of.CREDENTIAL), change("ana", Verb.UPDATE, "i1"))
    Outcomes(found).crashed(KeyError("x"), "ana")
    assert found.shared.kept == {"c1"}
    assert {label: result.outcome for label, result in found.results.items()} == {
        "credential main": Outcome.NOT_ATTEMPTED,
        "ana": Outcome.FAILED,
    }


@pytest.mark.parametrize(
    ("verb", "ids", "made", "id"),
    [
        (Verb.UPDATE, ("i1",), None, "i1"),
        (Verb.CREATE, (), "i9", "i9"),
        (Verb.REPLACE, ("i1",), "i9", "i9"),
        (Verb.CREATE, (), None, None),
        (Verb.UPDATE, ("i1", "i2"), None, "i1"),
    ],
)
def test_a_result_has_the_id_of_its_bot(
    verb: Verb, ids: tuple[str, ...], made: str | None, id: str | None
) -> None:
    update = Step(Call.UPDATE, "ana", "i1", {})
    found = state(change("ana", verb, *ids), steps=(update,))
    if made is not None:
        found.made["ana"] = made
    Outcomes(found).done(update, "a note")
    assert found.results == {"ana": Result(found.changes["ana"], Outcome.APPLIED, "a note", id)}


@pytest.mark.parametrize(
    ("of", "notes", "detail"),
    [
        (Of.BOT, ["first", "last"], "last"),
        (Of.BOT, ["first", ""], ""),
        (Of.CREDENTIAL, ["first", "", "last"], "first; last"),
        (Of.CREDENTIAL, ["same", "same"], "same"),
    ],
)
def test_the_notes_of_a_change(of: Of, notes: list[str], detail: str) -> None:
    """Of a bot the last call's counts, of a credential every one's."""
    one = change("ana", of=of)
    calls = tuple(Step(Call.UPDATE, one.label, f"i{number}", {}) for number in range(len(notes)))
    other = Step(Call.UPDATE, "eva", "i9", {})
    found = state(one, change("eva"), steps=(*calls, other))
    outcomes = Outcomes(found)
    for call, note in zip(calls, notes, strict=True):
        assert found.results == {}
        outcomes.done(call, note)
    assert [(label, result.detail) for label, result in found.results.items()] == [(one.label, detail)]


@pytest.mark.parametrize(
    ("verb", "call", "outcome", "ends"),
    [
        (Verb.ROTATE, Call.MOVE, Outcome.FAILED, False),
        (Verb.ROTATE, Call.SETTINGS, Outcome.FAILED, False),
        (Verb.ROTATE, Call.NEW_CREDENTIAL, Outcome.FAILED, True),
        (Verb.ROTATE, Call.OLD_CREDENTIAL, Outcome.FAILED, True),
        (Verb.ROTATE, Call.MOVE, Outcome.NOT_ATTEMPTED, True),
        (Verb.CREATE, Call.MOVE, Outcome.FAILED, True),
    ],
)
def test_a_rotation_goes_on_after_a_move_that_failed(
    verb: Verb, call: Call, outcome: Outcome, ends: bool
) -> None:
    one = change("main", verb, "c1", "c2", of=Of.CREDENTIAL)
    calls = Step(call, one.label, "i1", {}), Step(Call.MOVE, one.label, "i2", {})
    found = state(one, steps=calls)
    outcomes = Outcomes(found)
    outcomes.failed(calls[0], NotAppliedError(outcome, "no"))
    assert (one.label in found.results) is ends
    assert found.shared.kept == {"c1", "c2"}
    outcomes.done(calls[1], "a note")
    assert found.results[one.label] == Result(one, outcome, "no", "c1")


def test_a_change_without_a_call_is_not_attempted() -> None:
    found = state(change("ana", Verb.UPDATE, "i1"))
    [result] = Outcomes(found).results()
    assert (result.outcome, result.detail) == (Outcome.NOT_ATTEMPTED, "the plan has no call for it")
