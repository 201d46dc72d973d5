"""Plans for the renderers' tests, and a strategy for any plan."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from hypothesis import strategies as st

from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.markers import NO_MARKER
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, FieldChange, InstancePlan, Of, Plan, Standing, Step, Verb
from reconciler.domain.results import Outcome, Result, Results


def change(verb: Verb, *fields: tuple[str, Value | None, Value | None], bot: str = "menu") -> Change:
    """A change of one bot of the instance `loja`, with the fields that differ."""
    ids = () if verb is Verb.CREATE else ("cm1",)
    changes = tuple(FieldChange(*field) for field in fields)
    return Change("loja", bot, verb, "a reason", ids=ids, fields=changes)


def plan(*changes: Change, in_sync: int = 0, steps: tuple[Step, ...] | None = None) -> Plan:
    """A plan of the one instance `loja`; without steps given, a plain one for each change that writes."""
    if steps is None:
        calls = {Verb.CREATE: Call.CREATE, Verb.DELETE: Call.DELETE}
        steps = tuple(
            Step(calls.get(change.verb, Call.UPDATE), change.label, None, {})
            for change in changes
            if change.verb.writes
        )
    return Plan("http://127.0.0.1:8080", "gitops", (InstancePlan("loja", changes, steps, in_sync),))


def shop(number: int) -> Plan:
    """A line of a shared prompt changes on all instances; some have an unmanaged bot, no key is available."""
    prompt = "\n".join(f"Regra {n}: seja gentil com o cliente da loja." for n in range(30))
    update = change(Verb.UPDATE, ("systemMessages", (prompt,), (prompt.replace("Regra 9:", "Regra nove:"),)))
    fields: Fields = {
        "model": "gpt-4o",
        "description": "Teste do João",
        "triggerType": "keyword",
        "triggerOperator": "contains",
        "triggerValue": "teste",
    }
    bot = RemoteBot("c", fields, "2026-11-28T10:00:00.000Z")

    def instance(n: int) -> InstancePlan:
        name = f"loja-{n:04}"
        unmanaged = Change(name, "", Verb.UNMANAGED, NO_MARKER, (f"cmx0k8c5lm5haa06bm7qn{n:04}",), before=bot)
        return InstancePlan(
            name,
            (
                replace(update, instance=name, origins=("bots/prompts/atendente.md",)),
                *([unmanaged] if 10 * n < 3 * number else []),
            ),
            in_sync=9,
            credentials={"main": "not compared"},
            unverified={"main": f"OPENAI_KEY_{n} is not set"},
            manifest=f"bots/varejo/{name}.yaml",
        )

    return Plan("https://evolution.example.com", "gitops", tuple(map(instance, range(1, number + 1))))


def plans(text: st.SearchStrategy[str]) -> st.SearchStrategy[Plan]:
    """Any plan whose texts, all of them, are drawn from this strategy."""
    instances = st.builds(
        InstancePlan,
        text,
        st.lists(_changes(text), max_size=3).map(tuple),
        st.lists(_steps(text), max_size=3).map(tuple),
        st.integers(0, 3),
        st.none() | text,
        st.dictionaries(text, st.sampled_from(get_args(Standing)), max_size=2),
        st.dictionaries(text, text, max_size=2),
        manifest=text,
        answering=st.integers(0, 2),
    ).map(_at_home)
    return st.builds(Plan, text, text, st.lists(instances, max_size=3).map(tuple))


def results(text: st.SearchStrategy[str]) -> st.SearchStrategy[Results]:
    """Any results, likewise."""
    ended = st.builds(Result, _changes(text), st.sampled_from(Outcome), text, st.none() | text)
    return st.builds(Results, st.lists(ended, max_size=4).map(tuple), st.none() | st.sampled_from([2, 15, 1]))


def _changes(text: st.SearchStrategy[str]) -> st.SearchStrategy[Change]:
    value = st.one_of(st.booleans(), st.integers(), text, st.lists(text, max_size=4).map(tuple))
    fields = st.builds(FieldChange, _NAMES | text, st.none() | value, st.none() | value)
    body = st.dictionaries(_NAMES, value, max_size=5)
    return st.builds(
        Change,
        text,
        text,
        st.sampled_from(Verb),
        text,
        ids=st.lists(text, max_size=2).map(tuple),
        fields=st.lists(fields, max_size=4).map(tuple),
        before=st.none() | st.builds(RemoteBot, text, body, text),
        at=st.none() | st.builds(Position, text, st.integers(1, 9), st.integers(1, 9)),
        cause=st.sampled_from(["", "drift", "pending", "both"]),
        of=st.sampled_from(Of),
        other=st.just("") | text,
        origins=st.lists(text, max_size=2).map(tuple),
        vars=st.dictionaries(text, text, max_size=2),
    )


def _steps(text: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    value = text | st.integers()
    body = st.dictionaries(_NAMES, value, max_size=5)
    secret = st.none() | st.builds(SecretRef, st.sampled_from(["env", "secret-file"]), text)
    return st.builds(
        Step, st.sampled_from(Call), text, st.none() | text, body, text, secret=secret, merge=st.booleans()
    )


def _at_home(instance: InstancePlan) -> InstancePlan:
    """The instance's changes name it."""
    changes = tuple(replace(change, instance=instance.name) for change in instance.changes)
    return replace(instance, changes=changes)


_NAMES = st.sampled_from([*OPENAI.fields, "fieldOfTomorrow"])
_ANY = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=300)

PLANS = plans(_ANY)
RESULTS = results(_ANY)
