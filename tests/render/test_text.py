"""The text that a person reads, exactly, for small plans; and what holds for any plan."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import given, settings

from reconciler.cli.terminal import paint
from reconciler.domain import safe
from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.errors import Position
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Call, Change, FieldChange, InstancePlan, Of, Plan, Standing, Step, Verb
from reconciler.domain.results import Outcome, Result, Results
from reconciler.render import outcomes, text, values
from tests.render.plans import PLANS, RESULTS, change, plan, shop

_PROMPT = "\n".join(f"line {number}" for number in range(1, 13))
_LONG = "Say good morning. " * 10


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (Plan("", "", ()), "No changes. 0 bots in sync on 0 instances."),
        (plan(in_sync=1), "No changes. 1 bot in sync on 1 instance."),
        (plan(change(Verb.CREATE)), "Plan: 1 to create, 0 in sync"),
        (
            plan(change(Verb.DELETE), change(Verb.UPDATE), change(Verb.UPDATE), in_sync=14),
            "Plan: 2 to update, 1 to delete, 14 in sync",
        ),
        (
            plan(change(Verb.ADOPT), change(Verb.REPLACE), change(Verb.CONFLICT), change(Verb.UNMANAGED)),
            "Plan: 1 to adopt, 1 to replace, 0 in sync; 1 conflict; 1 unmanaged bot",
        ),
        (
            plan(change(Verb.ORPHAN), change(Verb.ORPHAN), in_sync=2),
            "No changes. 2 bots in sync on 1 instance; 2 bots no longer declared, kept.",
        ),
        (plan(change(Verb.CONFLICT)), "Nothing to apply. 0 bots in sync on 1 instance; 1 conflict."),
        (
            Plan("", "", (InstancePlan("a", problem="gone"), InstancePlan("b", in_sync=3))),
            "Nothing to apply. 3 bots in sync on 1 instance; 1 instance with a problem.",
        ),
    ],
)
def test_counts_come_first(made: Plan, line: str) -> None:
    assert text.plan(made).splitlines()[0] == line


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(
            change(Verb.UPDATE, ("maxTokens", 300, 400), ("expire", 0, 60), ("enabled", True, False)),
            """
              ~ menu  update: a reason
                  maxTokens  300 → 400
                  expire     0 minutes → 60 minutes
                  enabled    true → false
            """,
            id="scalars, with their units",
        ),
        pytest.param(
            change(
                Verb.ADOPT, ("description", None, "[gitops:menu]"), ("triggerOperator", "equals", "regex")
            ),
            """
              > menu  adopt: a reason
                  description      (unset) → "[gitops:menu]"
                  triggerOperator  equals → regex
            """,
            id="texts in quotes, choices without",
        ),
        pytest.param(
            change(Verb.UPDATE, ("triggerValue", "1", "01 "), ("keywordFinish", "x\x1b[2J", "não\u202e")),
            """
              ~ menu  update: a reason
                  triggerValue   "1" → "01 "
                  keywordFinish  "x␛[2J" → "não<U+202E>"
            """,
            id="hostile texts",
        ),
        pytest.param(
            change(Verb.UPDATE, ("keywordFinish", "na\u0303o", "n\u00e3o")),
            r"""
              ~ menu  update: a reason
                  keywordFinish  "na\u0303o" → "n\xe3o"
            """,
            id="texts that look the same",
        ),
        pytest.param(
            change(Verb.UPDATE, ("ignoreJids", (), ("@g.us", "55@s.whatsapp.net"))),
            """
              ~ menu  update: a reason
                  ignoreJids  [] → ["@g.us", "55@s.whatsapp.net"]
            """,
            id="a short list",
        ),
        pytest.param(
            change(Verb.UPDATE, ("unknownMessage", "one\ntwo", "one\ntwo ")),
            """
              ~ menu  update: a reason
                  unknownMessage
                      one
                    - two
                    + two·
            """,
            id="a space at the end",
        ),
        pytest.param(
            change(
                Verb.UPDATE,
                ("systemMessages", (_PROMPT,), (_PROMPT.replace("line 6", "line six"), "new\nprompt")),
            ),
            """
              ~ menu  update: a reason
                  systemMessages[0]
                    @@ line 4
                      line 4
                      line 5
                    - line 6
                    + line six
                      line 7
                      line 8
                  systemMessages[1] added
                    + new
                    + prompt
            """,
            id="prompts as line diffs, message by message",
        ),
        pytest.param(
            change(Verb.UPDATE, ("systemMessages", ("kept", "line 1\nline 2\nline 3\nline 4"), ("kept",))),
            """
              ~ menu  update: a reason
                  systemMessages[1] removed
                    - line 1
                    - line 2
                    - line 3
                    - line 4
            """,
            id="a prompt removed, shown whole",
        ),
        pytest.param(
            change(Verb.UPDATE, ("systemMessages", (_LONG + "Be kind.",), (_LONG + "Be quick.",))),
            """
              ~ menu  update: a reason
                  systemMessages[0]
                    - …morning. Say good morning. Be kind.
                    + …morning. Say good morning. Be quick.
            """,
            id="a long line, cut to its change",
        ),
        pytest.param(
            change(
                Verb.CREATE,
                ("enabled", None, True),
                ("botType", None, "chatCompletion"),
                ("model", None, "gpt-4o"),
                ("systemMessages", None, (_PROMPT, _LONG, "short")),
                ("triggerType", None, "keyword"),
                ("triggerOperator", None, "equals"),
                ("triggerValue", None, "1"),
                ("expire", None, 300),
            ),
            """
              + menu  create: a reason
                  enabled true, botType chatCompletion, model "gpt-4o", triggerType keyword,
                  triggerOperator equals, triggerValue "1", expire 300 minutes
                  systemMessages[0]  line 1  (+11 lines)
                  systemMessages[1]  Say good morning. Say good morning. Say good morning. Say good…
                  systemMessages[2]  short
            """,
            id="a create: its whole body, short",
        ),
        pytest.param(
            change(Verb.CREATE, ("unknownMessage", None, "a\nb\n")),
            """
              + menu  create: a reason
                  unknownMessage  a  (+1 line)
            """,
            id="a create: a text of two lines",
        ),
        pytest.param(
            change(Verb.UPDATE, ("unknownMessage", "::error::a\n##[x]", "::error::a\n##[x]\nb")),
            """
              ~ menu  update: a reason
                  unknownMessage
                      <U+003A>:error::a
                      ##<U+005B>x]
                    + b
            """,
            id="a line that a job's log would take for a command",
        ),
        pytest.param(
            change(Verb.DELETE, ("model", "gpt-4o", None), ("maxTokens", 300, None)),
            """
              - menu  delete: a reason
                  model "gpt-4o", maxTokens 300
            """,
            id="a delete",
        ),
        pytest.param(
            change(Verb.REPLACE, ("model", "gpt-4", "gpt-4o")),
            """
            -/+ menu  replace: a reason
                  model  "gpt-4" → "gpt-4o"
            """,
            id="a replace",
        ),
        pytest.param(
            Change("loja", "", Verb.UNMANAGED, "nothing declares it", ids=("cm7",)),
            "\n  ? loja: nothing declares it, id cm7\n",
            id="unmanaged",
        ),
        pytest.param(
            Change("loja", "old", Verb.ORPHAN, "nothing declares it", ids=("cm7",)),
            "\n  ? old  orphan: nothing declares it (id cm7)\n",
            id="an orphan",
        ),
        pytest.param(
            Change(
                "loja", "menu", Verb.CONFLICT, "cm1 and cm2", ("cm1", "cm2"), at=Position("bots/a.yaml", 3, 4)
            ),
            "\n  ! menu  conflict: cm1 and cm2 (bots/a.yaml:3)\n",
            id="a conflict, and where it is declared",
        ),
    ],
)
def test_a_change(shown: Change, expected: str) -> None:
    _, _, _, got = text.plan(plan(shown), width=88, dangers=False).split("\n", 3)
    assert dedent(got) == dedent(expected).lstrip("\n")


def test_an_instance() -> None:
    """Its problem or its changes, reports last, then an order of calls that is not plain."""
    made = Plan(
        "http://127.0.0.1:8080",
        "gitops",
        (
            InstancePlan(
                "loja\x07",
                tuple(
                    replace(change(verb, bot=bot), instance="loja\x07")
                    for verb, bot in [(Verb.UNMANAGED, ""), (Verb.UPDATE, "one"), (Verb.UPDATE, "two")]
                ),
                (
                    Step(Call.PARK, "one", "cm1", {}, "one and two swap their triggers"),
                    Step(Call.UPDATE, "two", "cm2", {}),
                    Step(Call.UPDATE, "one", "cm1", {}),
                ),
                in_sync=2,
            ),
            InstancePlan("calm", in_sync=5),
            InstancePlan("gone", problem="no such instance\n"),
        ),
    )
    assert text.plan(made) == dedent("""\
        Plan: 2 to update, 7 in sync; 1 unmanaged bot; 1 instance with a problem

        loja␇  (2 in sync)
          ~ one  update: a reason
          ~ two  update: a reason
            calls, in this order:
              1. park one: one and two swap their triggers
              2. update two
              3. update one

        gone
          ! problem: no such instance⏎

        1 unmanaged bot on 1 instance, never written to:
          ? loja␇: a reason, id cm1
        """)


def test_long_sentences_are_wrapped() -> None:
    made = plan(replace(change(Verb.CONFLICT), reason="too long a reason for a terminal as narrow as this"))
    assert text.plan(made, width=40).splitlines()[4:] == [
        "  ! menu  conflict: too long a reason",
        "      for a terminal as narrow as this",
        "      (id cm1)",
    ]


def test_results() -> None:
    ended = Results(
        (
            Result(change(Verb.CREATE, bot="你好"), Outcome.APPLIED, id="cm1"),
            Result(change(Verb.UPDATE), Outcome.FAILED, "the server said\n500: \x1b[2Jno"),
            Result(change(Verb.DELETE, bot=""), Outcome.NOT_ATTEMPTED),
        ),
        signal=15,
    )
    assert outcomes.results(ended) == dedent("""\
        instance  bot   verb    outcome        detail
        loja      menu  update  failed         the server said⏎500: ␛[2Jno
        loja      cm1   delete  not attempted
        loja      你好  create  applied

        3 changes: 1 applied, 1 failed, 1 not attempted.
        Stopped by SIGTERM.
        """)
    assert outcomes.results(Results(())) == "0 changes: nothing to do.\n"
    assert outcomes.results(Results((), signal=2)).endswith("Stopped by Ctrl-C.\n")


def test_colours_only_when_asked() -> None:
    made = plan(change(Verb.CREATE), change(Verb.DELETE), change(Verb.UPDATE, ("model", "a\n", "b\n")))
    coloured = text.plan(made, paint=paint)
    assert "\x1b[32m  + menu  create\x1b[0m: a reason" in coloured
    assert "\x1b[31m  - menu  delete\x1b[0m: a reason" in coloured
    assert "\x1b[33m  ~ menu  update\x1b[0m: a reason" in coloured
    assert "\x1b[31m- a\x1b[0m" in coloured
    assert "\x1b[31m1 bot is deleted, and its open sessions end.\x1b[0m" in coloured
    assert unstyled(coloured) == text.plan(made)
    ended = Results((Result(change(Verb.CREATE), Outcome.FAILED),))
    assert unstyled(outcomes.results(ended, paint=paint)) == outcomes.results(ended)


@settings(deadline=None)
@given(PLANS, RESULTS)
def test_no_plan_moves_a_terminal(made: Plan, ended: Results) -> None:
    """Whatever a server or a manifest says: newlines are ours, and no other control character is there."""
    for shown in (text.plan(made), text.plan(made, width=20), outcomes.results(ended)):
        assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c != "\n"]
    for width in (20, 100):
        assert unstyled(text.plan(made, paint=paint, width=width)) == text.plan(made, width=width)


@settings(deadline=None)
@given(PLANS)
def test_every_changed_line_of_an_update_is_seen(made: Plan) -> None:
    for each in made.changes():
        update = plan(replace(each, verb=Verb.UPDATE, instance="loja"))
        lines = text.plan(update, width=10_000)
        for field in each.fields:
            if isinstance(field.after, str) and field.before is None:
                for part in field.after.split("\n"):
                    assert safe.line(part.rstrip(" ")) in lines


def test_two_thousand_changes_are_quick() -> None:
    prompt = "\n".join(f"Rule {number}: be kind to the customer, always." for number in range(40))
    fields = (
        FieldChange("maxTokens", 300, 400),
        FieldChange("systemMessages", (prompt,), (prompt.replace("Rule 7:", "Rule seven:"),)),
    )
    changes = tuple(Change("loja", f"bot-{n}", Verb.UPDATE, "r", (str(n),), fields) for n in range(2_000))
    start = time.process_time()
    assert text.plan(plan(*changes)).count("\n") > 12_000
    assert time.process_time() - start < 20  # it takes 0.5, and some times that when coverage is measured


def unstyled(shown: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", shown)


def test_credentials_and_settings_beside_the_bots() -> None:
    rotate = Change("loja", "main", Verb.ROTATE, "its key is different now", ids=("c1",), of=Of.CREDENTIAL)
    fields = (FieldChange("speechToText", False, True), FieldChange("fallbackId", None, "menu"))
    row = Change("loja", "", Verb.UPDATE, "they differ", fields=fields, of=Of.SETTINGS)
    kept = Change("loja", "old", Verb.UNMANAGED, "bot cm9 uses it", ids=("c0",), of=Of.CREDENTIAL)
    steps = (
        Step(Call.NEW_CREDENTIAL, rotate.label, None, {"name": "main@2"}, secret=SecretRef("env", "KEY")),
        Step(Call.SETTINGS, row.label, None, {"speechToText": True}),
        Step(
            Call.SETTINGS, rotate.label, None, {"openaiCredsId": "new credential main@2", "debounceTime": 9}
        ),
        Step(Call.MOVE, rotate.label, "cm1", {"openaiCredsId": "new credential main@2"}),
        Step(Call.FALLBACK, row.label, None, {"fallbackId": "new bot menu"}),
        Step(Call.OLD_CREDENTIAL, rotate.label, "c1", {"name": "main"}),
    )
    instance = InstancePlan(
        "loja", (rotate, row, change(Verb.CREATE), kept), steps, 2, credentials={"main": "different"}
    )
    head, rest = text.plan(Plan("", "", (instance,)), width=120).split("\n", 1)
    assert head == (
        "Plan: 1 to create, 1 credential to rotate, settings of 1 instance to write, 2 in sync; "
        "1 old credential kept"
    )
    rest, _, ending = rest.partition("\n\n1 credential")
    assert ending == " is rotated: its old key is deleted once nothing uses it.\n"
    assert rest + "\n" == dedent("""\
        Credentials: 1 different.

        loja  (2 in sync; credential main different)
          @ credential main  rotate: its key is different now
              debounceTime is sent as 9 seconds
          ~ the settings  update: they differ
              speechToText  false → true
              fallbackId    (unset) → "menu"
          + menu  create: a reason
          ? credential old  unmanaged: bot cm9 uses it (id c0)
            calls, in this order:
              1. new credential main@2
              2. settings speechToText
              3. settings openaiCredsId, debounceTime
              4. move bot cm1 to new credential main@2
              5. fallback new bot menu
              6. old credential main (id c1)
    """)


def test_keys_that_are_not_at_hand_come_first_and_are_counted() -> None:
    stand: dict[str, Standing] = {"far": "not compared", "main": "missing", "there": "present"}
    why = {"far": "/run/secrets/far cannot be read: No such file or directory", "main": "KEY\n is not set"}
    crowd = [
        InstancePlan(f"x{n}", credentials={"c": "not compared"}, unverified={"c": "K"}) for n in range(20)
    ]
    lines = text.plan(
        Plan("", "", (InstancePlan("loja", credentials=stand, unverified=why), *crowd)), width=90
    )
    head, rest = lines.split("\n", 1)
    assert head.startswith("No changes.")
    assert (
        rest
        == dedent("""\
        Credentials: 1 missing, 21 not compared, 1 present.
          ! credential main of loja: it is missing, and an apply needs its key: KEY⏎ is not set
          ! credential far of loja: its key is not compared: /run/secrets/far cannot be read: No
              such file or directory
    """)
        + "  ! 20 credentials: their keys are not compared: K\n"
    )


# -- a fleet ----------------------------------------------------------------------------------


def _fleet(number: int) -> list[InstancePlan]:
    """Instances in the folder bots/varejo with the same change."""
    same = replace(change(Verb.UPDATE, ("expire", 1, 2)), origins=("bots/_defaults.yaml:4",))
    return [
        InstancePlan(f"loja-{n:03}", (replace(same, instance=f"loja-{n:03}"),), manifest="bots/varejo/a.yaml")
        for n in range(1, number + 1)
    ]


def test_the_same_change_is_shown_once_and_outliers_stand_above_it() -> None:
    fleet = _fleet(40)
    other = replace(fleet[6].changes[0], fields=(FieldChange("expire", 3, 2),))
    fleet[6] = replace(fleet[6], changes=(other,))
    rest = InstancePlan("matriz", in_sync=2, manifest="bots/matriz.yaml")
    assert text.plan(Plan("", "", (*fleet, rest)), width=80) == dedent("""\
        Plan: 40 to update, 2 in sync

        loja-007
          ~ menu  update: a reason (bots/_defaults.yaml:4)
              expire  3 minutes → 2 minutes

        loja-001…006, loja-008…040  (39 of 41 instances)
          ~ menu  update: a reason (bots/_defaults.yaml:4)
              expire  1 minute → 2 minutes
        """)
    assert "loja-001…040  (40 of 41 instances, all of bots/varejo/)" in text.plan(
        Plan("", "", (*_fleet(40), rest))
    )
    assert "loja-001…040  (all 40 instances)" in text.plan(Plan("", "", tuple(_fleet(40))))


def test_the_same_refusal_is_one() -> None:
    made = Plan("", "", tuple(InstancePlan(f"loja-{n}", problem="timed out") for n in range(1, 60)))
    assert text.plan(made).splitlines()[2:] == [
        "loja-1…59  (all 59 instances)",
        "  ! problem: timed out",
    ]


def test_names_that_do_not_fit_are_counted() -> None:
    names = [f"{first}{second}-shop" for first in "abcdefgh" for second in "abcdefgh"]
    fleet = tuple(InstancePlan(name, problem="timed out") for name in names)
    [head] = [line for line in text.plan(Plan("", "", fleet), width=80).splitlines() if "aa-shop" in line]
    shown, more = head.partition(" and ")[0].split(", "), int(head.partition(" and ")[2].split()[0])
    assert len(shown) + more == 64
    assert len(head) <= 80


def test_an_order_of_calls_that_is_the_same_is_shown_once() -> None:
    def instance(n: int) -> InstancePlan:
        one = replace(change(Verb.UPDATE), instance=f"loja-{n}", ids=(f"cm{n}",))
        steps = (Step(Call.MOVE, "menu", f"cm{n}", {"openaiCredsId": "new credential main@2"}),)
        return InstancePlan(f"loja-{n}", (one,), steps)

    lines = text.plan(Plan("", "", tuple(map(instance, range(1, 4))))).splitlines()
    assert lines[2:] == [
        "loja-1…3  (all 3 instances)",
        "  ~ menu  update: a reason",
        "    calls on each, in this order:",
        "      1. move bot ID to new credential main@2",
    ]


def test_a_plan_of_forty_fits_a_screen() -> None:
    lines = text.plan(shop(40), width=80).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert "  ! 40 credentials: their keys are not compared: OPENAI_KEY_1 is not set, and 39" in lines
    assert "    and 9 more" in lines


def test_what_is_dangerous_stands_at_the_end() -> None:
    """Right above the question, which follows it."""
    made = plan(replace(change(Verb.DELETE), before=RemoteBot("cm1", {"enabled": True})))
    assert text.plan(made).splitlines()[-4:] == [
        "",
        "1 bot is deleted, and its open sessions end.",
        "1 number loses the last bot that answers.",
        "Without a bot that answers: loja",
    ]
    assert "sessions" not in text.plan(made, dangers=False)


def test_a_long_plan_ends_with_its_counts() -> None:
    made = plan(*(change(Verb.UPDATE, ("expire", 1, n), bot=f"b{n}") for n in range(30)))
    lines = text.plan(made).splitlines()
    assert lines[0] == lines[-1] == "Plan: 30 to update, 0 in sync"


def test_an_unmanaged_bot_is_shown_by_what_a_person_knows() -> None:
    fields: Fields = {
        "enabled": False,
        "description": "Vendas\x1b antigas",
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": "1",
        "model": "gpt-4o",
    }
    bot = RemoteBot("cm7", fields, "2024-05-01T10:00:00.000Z")
    made = plan(Change("loja", "", Verb.UNMANAGED, "it carries no marker", ("cm7",), before=bot))
    assert text.plan(made, width=120).splitlines()[2:] == [
        "1 unmanaged bot on 1 instance, never written to:",
        '  ? loja: "Vendas␛ antigas", keyword equals "1", gpt-4o, disabled, since 2024-05-01',
    ]


def test_limits_notes_and_what_is_not_of_this_pull_request() -> None:
    made = replace(
        plan(
            change(Verb.BEFORE),
            replace(change(Verb.UPDATE, bot="b"), fields=(FieldChange("expire", 1, 2, "edited"),)),
        ),
        limits=("9 deletes are more than 5",),
        approval="deadbeef",
        notes=("the rest was not looked at",),
    )
    assert text.plan(made, width=120).splitlines() == [
        "Plan: 1 to update, 0 in sync; 1 limit exceeded",
        "  ! limit: 9 deletes are more than 5",
        "    To delete them all the same, in this plan and no other, add the label "
        "allow-deletes-deadbeef to the pull request, or",
        "      pass --allow-deletes deadbeef.",
        "the rest was not looked at",
        "",
        "loja",
        "  ~ b  update: a reason",
        "      expire  1 minute → 2 minutes",
        "        edited on the server since the last apply: this line will be overwritten",
        "",
        "1 change is not part of this plan, and is not made.",
    ]
    assert (
        "    The deletes exceed a limit, and were approved."
        in text.plan(replace(made, approved=True)).splitlines()
    )
    of_base = text.plan(replace(made, base="0" * 40), width=120)
    assert "1 change is not of this pull request: it is also planned without it, and is not made." in of_base


def test_results_of_a_fleet() -> None:
    """The same outcomes are one row, and what was not applied comes first, by name."""
    ended = Results(
        tuple(
            Result(
                replace(change(Verb.UPDATE, ("expire", n, 2)), instance=f"loja-{n}", ids=(f"cm{n}",)),
                Outcome.FAILED if n in {2, 5, 8, 11} else Outcome.APPLIED,
                f"bot cm{n} is gone" if n in {2, 5, 8, 11} else "",
            )
            for n in range(1, 1001)
        )
    )
    assert outcomes.results(ended) == dedent("""\
        instance       bot   verb    outcome  detail
        4 instances    menu  update  failed   bot ID is gone
            loja-2, loja-5, loja-8, loja-11
        996 instances  menu  update  applied

        1000 changes: 996 applied, 4 failed.
        """)


def test_a_diff_says_where_it_is_not_exact() -> None:
    once, again = [f"line {n}" for n in range(400)], [f"line {n % 7}" for n in range(400)]
    assert ("@@", "line 200") in values.diff(once, [*once[:201], "new", *once[201:]], 80)
    first, *_ = values.diff(again, again[3:], 80)
    assert first == ("@@", "compared roughly, as it is long and repeats itself: more lines may be the same")
