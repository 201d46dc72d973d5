"""What a pull request does, apart from what is to be done without it: of two plans, and of two manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    Former,
    SecretRef,
)
from reconciler.domain.errors import Position
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import (
    NEW_CREDENTIAL,
    Call,
    Change,
    FieldChange,
    InstancePlan,
    Of,
    Plan,
    Step,
    Verb,
)
from reconciler.plan import effect
from reconciler.plan.options import Effect, Options, Review
from tests.plan.builders import AT, bot

ELSEWHERE = Position("bots/other.yaml", 9, 9)


# -- what is not declared any more ------------------------------------------------------------


def declared(*bots: DesiredBot, name: str = "loja", **others: Any) -> DesiredInstance:
    return DesiredInstance(name, bots, AT, **others)


def settings(*fields: str, at: Position = AT, **others: Any) -> dict[str, DesiredSettings]:
    return {"openai": DesiredSettings(dict.fromkeys(fields, 1), at, **others)}


def credentials(*names: str) -> tuple[DesiredCredential, ...]:
    return tuple(DesiredCredential(name, SecretRef("env", "KEY"), AT) for name in names)


@pytest.mark.parametrize(
    ("base", "work", "found"),
    [
        (declared(bot("ana", "x", expire=1)), declared(bot("ana", "x", expire=2)), None),
        (declared(bot("ana", "x")), declared(bot("ana", "x", expire=2)), None),
        (declared(bot("ana", "x", expire=1)), declared(), None),
        (
            declared(bot("ana", "x", expire=1), bot("bia", "y", expire=1)),
            declared(bot("bia", "y", expire=1), bot("ana", "x")),
            Former({"ana": frozenset({"expire"})}),
        ),
        (declared(bot("ana", "x")), declared(bot("ana", "x", creds="main")), None),
        (declared(settings=settings("expire")), declared(settings=settings("expire")), None),
        (declared(settings=settings("expire")), declared(), Former(blocks=frozenset({"openai"}))),
        (declared(), declared(settings=settings("expire")), None),
        (declared(), declared(), None),
        (
            declared(settings=settings("expire", "keepOpen")),
            declared(settings=settings("expire", "timePerChar")),
            Former(settings={"openai": frozenset({"keepOpen"})}),
        ),
        (
            declared(settings=settings(fallback="ana")),
            declared(settings=settings()),
            Former(settings={"openai": frozenset({"fallbackId"})}),
        ),
        (declared(settings=settings(fallback="ana")), declared(settings=settings(fallback="bia")), None),
        (declared(settings=settings(fallback="ana")), declared(settings=settings(fallback="")), None),
        (declared(settings=settings(fallback="")), declared(settings=settings()), None),
        (declared(settings=settings()), declared(settings=settings(fallback="ana")), None),
        (
            declared(credentials=credentials("main", "old")),
            declared(credentials=credentials("new", "main")),
            Former(credentials=frozenset({"old"})),
        ),
        (
            declared(bot("ana", "x", expire=1), settings=settings("expire"), credentials=credentials("main")),
            None,
            Former(credentials=frozenset({"main"})),
        ),
        (declared(bot("ana", "x", expire=1), settings=settings("expire")), None, None),
    ],
)
def test_what_is_not_declared_any_more(
    base: DesiredInstance, work: DesiredInstance | None, found: Former | None
) -> None:
    other = declared(bot("ana", "x", expire=1, keepOpen=True), name="filial", settings=settings("expire"))
    works = (other,) if work is None else (other, work)
    assert effect.former(Desired((base, other)), Desired(works)) == ({} if found is None else {"loja": found})


LOJA = declared(
    bot("ana", "x", creds="main"), settings=settings("expire"), credentials=credentials("main"), files=("a",)
)


@pytest.mark.parametrize(
    ("work", "same"),
    [
        (LOJA, True),
        (replace(LOJA, at=ELSEWHERE, files=("b",)), True),
        (replace(LOJA, bots=(replace(LOJA.bots[0], at=ELSEWHERE),)), True),
        (replace(LOJA, credentials=(replace(LOJA.credentials[0], at=ELSEWHERE),)), True),
        (replace(LOJA, settings=settings("expire", at=ELSEWHERE)), True),
        (replace(LOJA, bots=()), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], name="bia"),)), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], fields={}),)), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], creds="other"),)), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], previously=("bia",)),)), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], on_drift="replace"),)), False),
        (replace(LOJA, bots=(replace(LOJA.bots[0], creds_owner="filial"),)), False),
        (replace(LOJA, credentials=()), False),
        (replace(LOJA, credentials=credentials("other")), False),
        (replace(LOJA, credentials=(replace(LOJA.credentials[0], key=SecretRef("env", "OTHER")),)), False),
        (replace(LOJA, settings={}), False),
        (replace(LOJA, settings=settings("keepOpen")), False),
        (replace(LOJA, settings=settings("expire", creds="main")), False),
        (replace(LOJA, settings=settings("expire", fallback="ana")), False),
        (replace(LOJA, settings=settings("expire", merge_jids=True)), False),
        (replace(LOJA, name="new"), False),
    ],
)
def test_instances_that_are_declared_alike(work: DesiredInstance, same: bool) -> None:
    other = declared(name="filial")
    found = effect.alike(Desired((LOJA, other)), Desired((work, other)))
    assert found == ({"loja", "filial"} if same else {"filial"})


# -- plans, written by hand -------------------------------------------------------------------


def change(verb: Verb, name: str = "ana", where: str = "loja", **others: Any) -> Change:
    return Change(where, name, verb, others.pop("reason", "why"), at=AT, **others)


def field(name: str, after: int = 2, **others: Any) -> FieldChange:
    return FieldChange(name, 1, after, **others)


def planned(*changes: Change, **others: Any) -> Plan:
    """A plan of these changes, by instance. steps: of the instance loja."""
    steps = others.pop("steps", ())
    names = sorted({each.instance for each in changes} | ({"loja"} if steps else set()))
    return Plan(
        "http://127.0.0.1:8080",
        "gitops",
        tuple(
            InstancePlan(
                name,
                tuple(each for each in changes if each.instance == name),
                steps if name == "loja" else (),
            )
            for name in names
        ),
        **others,
    )


UNDECLARED = field("expire", note="undeclared")
OLD_CREDENTIAL = change(Verb.DELETE, "main", of=Of.CREDENTIAL)


@pytest.mark.parametrize(
    ("reviewed", "work", "found"),
    [
        ([], [LOJA], {}),
        ([change(Verb.UPDATE, fields=(field("expire"),))], [LOJA], {}),
        ([change(Verb.UPDATE, fields=(field("expire", note="edited"),))], [LOJA], {}),
        (
            [change(Verb.UPDATE, fields=(UNDECLARED, field("keepOpen")))],
            [LOJA],
            {"loja": Former({"ana": frozenset({"expire"})})},
        ),
        (
            [
                change(Verb.UPDATE, fields=(UNDECLARED,)),
                change(Verb.UPDATE, fields=(field("keepOpen", note="undeclared"),)),
                change(Verb.UPDATE, "bia", fields=(UNDECLARED,)),
            ],
            [LOJA],
            {"loja": Former({"ana": frozenset({"expire", "keepOpen"}), "bia": frozenset({"expire"})})},
        ),
        (
            [
                change(Verb.UPDATE, "", of=Of.SETTINGS, fields=(UNDECLARED,)),
                change(Verb.UPDATE, "", of=Of.SETTINGS, fields=(field("fallbackId", note="undeclared"),)),
            ],
            [LOJA],
            {"loja": Former(settings={"openai": frozenset({"expire", "fallbackId"})})},
        ),
        ([change(Verb.UPDATE, "", of=Of.SETTINGS, fields=(field("expire"),))], [LOJA], {}),
        (
            [OLD_CREDENTIAL],
            [replace(LOJA, credentials=())],
            {"loja": Former(credentials=frozenset({"main"}))},
        ),
        ([OLD_CREDENTIAL], [], {"loja": Former(credentials=frozenset({"main"}))}),
        ([OLD_CREDENTIAL], [LOJA], {}),
        ([change(Verb.ROTATE, "main", of=Of.CREDENTIAL)], [replace(LOJA, credentials=())], {}),
        ([change(Verb.DELETE, "main")], [replace(LOJA, credentials=())], {}),
        (
            [OLD_CREDENTIAL, change(Verb.DELETE, "old", of=Of.CREDENTIAL)],
            [],
            {"loja": Former(credentials=frozenset({"main", "old"}))},
        ),
    ],
)
def test_what_reviewed_plans_take_back(
    reviewed: list[Change], work: list[DesiredInstance], found: Mapping[str, Former]
) -> None:
    plans = [planned(each) for each in reviewed]
    assert effect.of_reviewed(plans, Desired(tuple(work))) == found


def test_an_effect_is_what_the_work_tree_adds() -> None:
    both, mine, others = (change(Verb.UPDATE, name) for name in ("ana", "bia", "caio"))
    assert effect.of_plans(planned(both, others), planned(both, mine)) == Effect(frozenset({mine.digest}))


# -- what the effect needs --------------------------------------------------------------------

MINE = change(Verb.CREATE)
NEEDED = [
    change(Verb.DELETE, "bia"),
    change(Verb.CREATE, "main", "filial", of=Of.CREDENTIAL),
    change(Verb.UPDATE, "", of=Of.SETTINGS),
]
NOT_NEEDED = [
    change(Verb.DELETE, "bia", "filial"),
    change(Verb.ROTATE, "other", "filial", of=Of.CREDENTIAL),
    change(Verb.UPDATE, "dora", "filial"),
    change(Verb.CREATE, "edu", "filial"),
]
MINE_TOO = change(Verb.UPDATE, "caio", "filial")


@pytest.mark.parametrize(
    ("made", "stuck"),
    [
        ([MINE], False),
        ([change(Verb.CONFLICT)], True),
        ([change(Verb.BEFORE)], False),
        ([change(Verb.CONFLICT, "dora", "filial")], False),  # in conflict, but not of the effect
        ([change(Verb.CONFLICT, where="filial")], False),
        ([], False),
    ],
)
def test_what_an_effect_cannot_do_without(made: list[Change], stuck: bool) -> None:
    added = Effect(digests(MINE, MINE_TOO))
    found = effect.needed(planned(*made), planned(MINE, MINE_TOO, *NEEDED, *NOT_NEEDED), added)
    assert found == Effect(digests(MINE, MINE_TOO, *(NEEDED if stuck else ())))


@pytest.mark.parametrize("reported", [Verb.CONFLICT, Verb.UNMANAGED])
def test_an_effect_that_is_a_report_alone_needs_nothing(reported: Verb) -> None:
    mine = change(reported)
    added = Effect(frozenset({mine.digest}))
    assert effect.needed(planned(change(Verb.CONFLICT)), planned(mine, *NEEDED), added) == added


# -- the plan of the effect -------------------------------------------------------------------


def told(plan: Plan) -> list[tuple[Verb, str, str]]:
    return [(each.verb, f"{each.label}@{each.instance}", each.reason) for each in plan.changes()]


ROTATION = change(Verb.ROTATE, "main", of=Of.CREDENTIAL)
UPDATE = change(Verb.UPDATE, fields=(field("expire"), field("keepOpen", note="undeclared")))
WITHDRAWN = "update: why. The base asks for it, and these manifests do not any more"


def after(verb: Verb, reason: str = "why") -> list[tuple[Verb, str, str]]:
    return [(verb, "ana@loja", reason)]


@pytest.mark.parametrize(
    ("made", "base", "work", "becomes"),
    [
        # A conflict that is only there since what both plans have was left out.
        (change(Verb.CONFLICT), [UPDATE], [UPDATE], after(Verb.BEFORE, "update: why")),
        (change(Verb.CONFLICT), [UPDATE], [], after(Verb.CONFLICT)),
        (change(Verb.CONFLICT), [], [UPDATE], after(Verb.CONFLICT)),
        (change(Verb.CONFLICT), [replace(UPDATE, bot="bia")], [replace(UPDATE, bot="bia")], None),
        # What is not made at all is as it was.
        (change(Verb.UNMANAGED), [change(Verb.UNMANAGED)], [change(Verb.UNMANAGED)], after(Verb.UNMANAGED)),
        (
            change(Verb.ORPHAN),
            [change(Verb.ORPHAN)],
            [change(Verb.ORPHAN)],
            after(Verb.BEFORE, "orphan: why"),
        ),
        (change(Verb.ORPHAN), [change(Verb.DELETE)], [change(Verb.ORPHAN)], after(Verb.ORPHAN)),
        (change(Verb.ORPHAN), [], [change(Verb.ORPHAN)], after(Verb.ORPHAN)),
        # A bot's change that both have is made, where the effect needs it.
        (UPDATE, [UPDATE], [UPDATE], after(Verb.UPDATE)),
        (UPDATE, [], [UPDATE], after(Verb.UPDATE)),
        (change(Verb.DELETE), [change(Verb.DELETE)], [change(Verb.DELETE)], after(Verb.DELETE)),
        (change(Verb.CREATE), [change(Verb.CREATE)], [change(Verb.CREATE)], after(Verb.CREATE)),
    ],
)
def test_what_becomes_of_a_change(
    made: Change, base: list[Change], work: list[Change], becomes: list[tuple[Verb, str, str]] | None
) -> None:
    found = told(effect.marked(planned(made), planned(*base), planned(*work), frozenset()))
    assert found == (
        [*after(Verb.CONFLICT), (Verb.WITHDRAWN, "bia@loja", WITHDRAWN)] if becomes is None else becomes
    )


def test_what_was_so_before_is_said_where_it_is_declared_now() -> None:
    base = replace(UPDATE, at=ELSEWHERE)
    [found] = effect.marked(
        planned(change(Verb.CONFLICT)), planned(base), planned(UPDATE), frozenset()
    ).changes()
    assert (found.verb, found.at, found.fields) == (Verb.BEFORE, AT, UPDATE.fields)


@pytest.mark.parametrize("verb", [Verb.ROTATE, Verb.DELETE, Verb.CREATE])
@pytest.mark.parametrize(
    ("steps", "needed"),
    [
        ([Step(Call.UPDATE, "ana", "i1", {"openaiCredsId": NEW_CREDENTIAL + "main@2"})], True),
        ([Step(Call.UPDATE, "ana", "i1", {"openaiCredsId": NEW_CREDENTIAL + "main@3"})], False),
        ([Step(Call.UPDATE, "ana", "i1", {"expire": 2})], False),
        ([Step(Call.MOVE, "credential main", "i1", {"openaiCredsId": NEW_CREDENTIAL + "main@2"})], False),
        ([], False),
    ],
)
def test_a_credential_that_both_make_stays_where_something_needs_it(
    verb: Verb, steps: list[Step], needed: bool
) -> None:
    mine = change(verb, "main", of=Of.CREDENTIAL)
    own = [
        Step(Call.NEW_CREDENTIAL, "credential main", None, {"name": "main@2"}),
        Step(Call.OLD_CREDENTIAL, "credential main", "c1", {"name": "main@3"}),
    ]
    made = planned(mine, UPDATE, steps=(*own, *steps))
    marked = effect.marked(made, planned(mine), planned(mine, UPDATE), frozenset())
    kept = tuple(step for step in steps if step.bot == "ana")
    if needed:
        assert (marked.instances[0].steps, marked.instances[0].changes) == ((*own, *steps), (mine, UPDATE))
    else:
        assert marked.instances[0].steps == kept
        assert [each.verb for each in marked.changes()] == [Verb.BEFORE, Verb.UPDATE]


def test_a_credential_that_somebody_elses_credential_takes_is_not_needed_by_a_bot() -> None:
    own = Step(Call.NEW_CREDENTIAL, "credential main", None, {"name": "main@2"})
    other = Step(Call.MOVE, "credential other", "i1", {"openaiCredsId": NEW_CREDENTIAL + "main@2"})
    made = planned(ROTATION, steps=(own, other))
    assert effect.marked(made, planned(ROTATION), planned(ROTATION), frozenset()).instances[0].steps == (
        own,
        other,
    )


def test_another_credential_that_is_needed_keeps_no_other() -> None:
    main, other = (change(Verb.CREATE, name, of=Of.CREDENTIAL) for name in ("main", "other"))
    makes = [Step(Call.NEW_CREDENTIAL, f"credential {n}", None, {"name": n}) for n in ("main", "other")]
    uses = Step(Call.UPDATE, "ana", "i1", {"openaiCredsId": NEW_CREDENTIAL + "other"})
    made = planned(main, other, steps=(*makes, uses))
    marked = effect.marked(made, planned(main), planned(main, other), frozenset())
    assert marked.instances[0].steps == (makes[1], uses)


def test_a_credential_that_is_not_understood_stays_as_it_is() -> None:
    unread = planned(change(Verb.UNMANAGED, "main", of=Of.CREDENTIAL))
    assert effect.marked(unread, unread, unread, frozenset()) == unread


def test_a_report_that_both_have_drops_no_step() -> None:
    orphan, step = change(Verb.ORPHAN), Step(Call.UPDATE, "ana", "i1", {"expire": 2})
    marked = effect.marked(planned(orphan, steps=(step,)), planned(orphan), planned(orphan), frozenset())
    assert (marked.instances[0].steps, [each.verb for each in marked.changes()]) == ((step,), [Verb.BEFORE])


@pytest.mark.parametrize(
    ("base", "noted"),
    [
        (change(Verb.UPDATE, cause="drift", fields=(field("expire", 9),)), ["edited", "undeclared", ""]),
        (change(Verb.UPDATE, cause="both", fields=(field("expire", 9),)), ["edited", "undeclared", ""]),
        (change(Verb.UPDATE, cause="both", fields=(field("keepOpen", 9),)), ["", "undeclared", ""]),
        (change(Verb.UPDATE, cause="pending", fields=(field("expire", 9),)), ["", "undeclared", ""]),
        (change(Verb.UPDATE, fields=(field("expire", 9),)), ["", "undeclared", ""]),
        (change(Verb.UPDATE, "bia", cause="drift", fields=(field("expire", 9),)), ["", "undeclared", ""]),
    ],
)
def test_what_is_overwritten_is_noted(base: Change, noted: list[str]) -> None:
    made = replace(UPDATE, fields=(*UPDATE.fields, field("timePerChar")))
    [mine, *_] = effect.marked(planned(made), planned(base), planned(made), frozenset()).changes()
    assert ([each.note for each in mine.fields], mine.verb) == (noted, Verb.UPDATE)


def test_a_report_overwrites_nothing() -> None:
    off = change(Verb.SWITCHED_OFF, fields=(field("expire"),))
    base = change(Verb.UPDATE, cause="drift", fields=(field("expire"),))
    [found] = effect.marked(planned(off), planned(base), planned(off), frozenset()).changes()
    assert found == off


@pytest.mark.parametrize(
    ("base", "made", "withdrawn"),
    [
        ([UPDATE], [], [(Verb.WITHDRAWN, "ana@loja", WITHDRAWN)]),
        (
            [UPDATE],
            [change(Verb.CONFLICT, "bia")],
            [(Verb.CONFLICT, "bia@loja", "why"), (Verb.WITHDRAWN, "ana@loja", WITHDRAWN)],
        ),
        ([UPDATE], [change(Verb.SWITCHED_OFF)], [(Verb.SWITCHED_OFF, "ana@loja", "why")]),
        ([change(Verb.ORPHAN)], [], []),
        (
            [UPDATE, replace(UPDATE, bot="bia"), replace(UPDATE, instance="café")],
            [change(Verb.CONFLICT, where="zoo"), change(Verb.CONFLICT, where="aldeia")],
            [
                (Verb.CONFLICT, "ana@aldeia", "why"),
                (Verb.WITHDRAWN, "ana@café", WITHDRAWN),
                (Verb.WITHDRAWN, "ana@loja", WITHDRAWN),
                (Verb.WITHDRAWN, "bia@loja", WITHDRAWN),
                (Verb.CONFLICT, "ana@zoo", "why"),
            ],
        ),
    ],
)
def test_what_the_base_asks_for_alone_is_withdrawn(
    base: list[Change], made: list[Change], withdrawn: list[tuple[Verb, str, str]]
) -> None:
    assert told(effect.marked(planned(*made), planned(*base), planned(*made), frozenset())) == withdrawn


def test_what_is_withdrawn_has_no_place_and_no_other_instance() -> None:
    base = change(Verb.MOVE, other="filial", ids=("i1",), fields=(field("expire"),))
    [found] = effect.marked(planned(), planned(base), planned(), frozenset()).changes()
    assert (found.at, found.other, found.ids, found.fields) == (None, "", ("i1",), (field("expire"),))


@pytest.mark.parametrize(
    ("unread", "same", "kept", "notes"),
    [
        ({}, {"a"}, [], ("first",)),
        ({"a": "down"}, set(), ["a"], ("first",)),
        ({"a": "down"}, {"b"}, ["a"], ("first",)),
        (
            {"a": "down"},
            {"a"},
            [],
            ("first", "1 instance that this does not change could not be read (a): down"),
        ),
        (
            {"a": "down", "b": "gone", "c": "gone"},
            {"b", "c"},
            ["a"],
            ("first", "2 instances that this does not change could not be read (b, c): gone"),
        ),
        (
            {"a": "down", "b": "gone", "c": "gone"},
            {"a", "b", "c"},
            [],
            ("first", "3 instances that this does not change could not be read (a, b, c): down"),
        ),
        (
            {"a": "down", "b": "gone", "c": "gone", "d": "gone"},
            {"a", "b", "c", "d"},
            [],
            ("first", "4 instances that this does not change could not be read (a, b, c, …): down"),
        ),
    ],
)
def test_instances_that_could_not_be_read_and_are_not_changed_are_a_note(
    unread: dict[str, str], same: set[str], kept: list[str], notes: tuple[str, ...]
) -> None:
    read = InstancePlan("z", in_sync=1)
    broken = [InstancePlan(name, problem=why) for name, why in unread.items()]
    made = Plan("s", "gitops", (read, *broken), notes=("first",))
    marked = effect.marked(made, made, made, frozenset({*same, "z"}))
    assert ([one.name for one in marked.instances], marked.notes) == ([*kept, "z"], notes)


# -- what reviewed plans allow ----------------------------------------------------------------


def of(instance: str, *changes: Change, id: str = "i1", **others: Any) -> Plan:
    return Plan("s", "gitops", (InstancePlan(instance, changes, id=id),), **others)


@pytest.mark.parametrize(
    ("id", "ids", "names"),
    [
        ("i1", {"loja": "i1"}, set()),
        ("i1", {"loja": "i2"}, {"loja"}),
        ("i1", {"loja": ""}, set()),
        ("i1", {}, set()),
        ("i1", {"filial": "i2"}, set()),
        ("", {"loja": "i2"}, set()),
    ],
)
def test_an_instance_with_another_id_was_recreated(id: str, ids: dict[str, str], names: set[str]) -> None:
    assert effect.recreated(of("loja", id=id), ids) == names


def places(*changes: Change) -> frozenset[tuple[str, str]]:
    return frozenset((each.instance, each.label) for each in changes)


def digests(*changes: Change) -> frozenset[str]:
    return frozenset(each.digest for each in changes)


def test_what_a_review_allows_and_what_it_knows() -> None:
    delete, orphan, before = (
        change(Verb.DELETE, "bia"),
        change(Verb.ORPHAN, "caio"),
        change(Verb.BEFORE, "dora"),
    )
    every = (UPDATE, delete, orphan, before, change(Verb.CONFLICT, "edu"))
    found = effect.review([of("loja", *every)], {"loja": "i1"})
    assert found == Review(digests(*every), places(UPDATE, delete), places(orphan, before))


def test_what_is_kept_since_a_limit_is_exceeded_was_not_there_before() -> None:
    orphan, before = change(Verb.ORPHAN, "caio"), change(Verb.BEFORE, "dora")
    found = effect.review([of("loja", orphan, before, limits=("too many",))], {})
    assert (found.before, found.reviewed) == (places(before), frozenset())


def test_a_review_of_a_recreated_instance_allows_nothing() -> None:
    found = effect.review([of("loja", UPDATE, approved=True)], {"loja": "i2"})
    assert found == Review(frozenset(), places(UPDATE), recreated=frozenset({"loja"}))


def test_an_instance_is_recreated_if_it_is_so_for_every_review() -> None:
    old, new = of("loja", UPDATE), of("loja", change(Verb.DELETE, "bia"), id="i2")
    found = effect.review([old, new], {"loja": "i2"})
    assert found == Review(digests(*new.changes()), places(UPDATE, *new.changes()))
    assert effect.review([], {"loja": "i2"}) == Review(frozenset())


@pytest.mark.parametrize("approved", [True, False])
def test_deletes_that_were_approved(approved: bool) -> None:
    delete = change(Verb.DELETE, "bia", ids=("i9",), before=RemoteBot("i9", {}))
    found = effect.review([of("loja", UPDATE, delete, approved=approved)], {})
    assert found.approved == (digests(delete) if approved else frozenset())


def test_every_approval_counts() -> None:
    deletes = [change(Verb.DELETE, name, ids=(name,), before=RemoteBot(name, {})) for name in ("bia", "caio")]
    found = effect.review([of("loja", each, approved=True) for each in deletes], {})
    assert found.approved == digests(*deletes)


def test_approved_deletes_of_a_recreated_instance_are_not_approved() -> None:
    delete = change(Verb.DELETE, "bia", ids=("i9",), before=RemoteBot("i9", {}))
    assert effect.review([of("loja", delete, approved=True)], {"loja": "i2"}).approved == frozenset()


def test_what_changed_before_a_review_and_in_it_is_of_the_review() -> None:
    found = effect.review([of("loja", UPDATE), of("loja", change(Verb.BEFORE))], {})
    assert (found.reviewed, found.before) == (places(UPDATE), frozenset())


# -- the reports of what is not made ----------------------------------------------------------


@pytest.mark.parametrize(
    ("review", "mine", "verb", "reason"),
    [
        (Review(frozenset()), UPDATE, Verb.BLOCKED, "nobody reviewed this update: why"),
        (Review(frozenset(), before=places(UPDATE)), UPDATE, Verb.BEFORE, "update: why"),
        (Review(frozenset()), replace(UPDATE, cause="drift"), Verb.BEFORE, "update: why"),
        (
            Review(frozenset()),
            replace(UPDATE, cause="both"),
            Verb.BLOCKED,
            "nobody reviewed this update: why",
        ),
        (
            Review(frozenset(), places(UPDATE)),
            replace(UPDATE, cause="drift"),
            Verb.BLOCKED,
            "nobody reviewed this update: why",
        ),
        (
            Review(frozenset(), recreated=frozenset({"loja"})),
            UPDATE,
            Verb.BLOCKED,
            "nobody reviewed this update since the instance was recreated: why",
        ),
        (
            Review(frozenset(), recreated=frozenset({"filial"})),
            UPDATE,
            Verb.BLOCKED,
            "nobody reviewed this update: why",
        ),
        (Effect(frozenset(), places(UPDATE)), UPDATE, Verb.BEFORE, "update: why"),
    ],
)
def test_the_report_of_what_is_not_made(review: Review, mine: Change, verb: Verb, reason: str) -> None:
    options = Options(review=review)
    assert options.made(mine) == replace(mine, verb=verb, reason=reason)
    reviewed = Options(review=replace(review, digests=digests(mine)))
    assert reviewed.made(mine) is mine
    assert Options().made(mine) is mine


def test_a_report_is_never_held_back() -> None:
    orphan = change(Verb.ORPHAN)
    assert Options(review=Review(frozenset())).made(orphan) is orphan
