"""The markdown that a reviewer reads: exactly for small plans, by GitHub's own rules for hostile ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.domain import safe
from reconciler.domain.errors import Position, ReconcilerError
from reconciler.domain.groups import grouped, groups, problems
from reconciler.domain.kinds import Value
from reconciler.domain.plan import Call, Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.results import Outcome, Result, Results
from reconciler.render import calls, markdown, outcomes, summary
from tests.render import plans
from tests.render.gfm import Page
from tests.render.plans import change, plan, shop
from tests.support import often

_HUGE = 10**8
_PROMPT = "\n".join(f"line {number}" for number in range(1, 13))


def _foot(made: Plan) -> str:
    return (
        "<p>server <code>http://127.0.0.1:8080</code>, owner <code>gitops</code>, "
        f"digest of the whole plan: <code>{made.digest}</code></p>\n"
    )


# -- exactly, for small plans ------------------------------------------------------------------


def test_nothing_to_do() -> None:
    made = plan(in_sync=3)
    assert markdown.plan(made) == f"**No changes. 3 bots in sync on 1 instance.**\n\n{_foot(made)}"


def test_a_plan() -> None:
    """Counts, what stands out, instances, a block for each bot, the digest."""
    made = Plan(
        "http://127.0.0.1:8080",
        "gitops",
        (
            InstancePlan(
                "loja",
                (
                    Change("loja", "", Verb.UNMANAGED, "it has no marker", ("cm7",)),
                    replace(
                        change(
                            Verb.UPDATE,
                            ("maxTokens", 300, 400),
                            ("expire", 0, 60),
                            ("triggerValue", "1|2\\|3", "`@all` <b>"),
                            ("systemMessages", ("kept", _PROMPT), ("kept", _PROMPT.replace("e 6", "e six"))),
                        ),
                        at=Position("bots/loja.yaml", 7, 3),
                        cause="both",
                    ),
                    change(Verb.DELETE, ("model", "gpt-4o", None), bot="old"),
                ),
                (
                    Step(Call.PARK, "menu", "cm1", {}, "to free its trigger"),
                    Step(Call.DELETE, "old", "cm2", {}),
                    Step(Call.UPDATE, "menu", "cm1", {}),
                ),
                in_sync=2,
            ),
            InstancePlan("calm", in_sync=5),
            InstancePlan("gone", problem="no such instance\n@here"),
        ),
    )
    shown = dedent("""\
        **Plan: 1 to update, 1 to delete, 7 in sync; 1 unmanaged bot; 1 instance with a problem**

        > [!WARNING]
        > 1 bot is deleted, and its open sessions end.
        > 1 instance has a problem, and is left as it is.

        <details>
        <summary><b>delete</b> <code>loja</code> / <code>old</code></summary>
        <p><code>a reason</code>, on the server <code>cm1</code></p>
        <table>
        <tr><th>field</th><th>before</th></tr>
        <tr><td><code>model</code></td><td><code>"gpt-4o"</code></td></tr>
        </table>

        </details>

        <details>
        <summary><b>problem</b> <code>gone</code>: <code>no such instance⏎&#64;here</code></summary>
        <p><code>no such instance⏎&#64;here</code>, on <code>gone</code></p>

        </details>

        <details>
        <summary><b>update</b> <code>loja</code> / <code>menu</code> · drift and pending · <code>bots/loja.yaml:7</code></summary>
        <p><code>a reason</code>, declared at <code>bots/loja.yaml:7:3</code>, on the server <code>cm1</code></p>
        <table>
        <tr><th>field</th><th>before</th><th>after</th></tr>
        <tr><td><code>maxTokens</code></td><td><code>300</code></td><td><code>400</code></td></tr>
        <tr><td><code>expire</code></td><td><code>0 minutes</code></td><td><code>60 minutes</code></td></tr>
        <tr><td><code>triggerValue</code></td><td><code>"1|2\\|3"</code></td><td><code>"&#96;&#64;all&#96; &lt;b&gt;"</code></td></tr>
        </table>

        <p><code>systemMessages[1]</code></p>

        ```diff
        @@ line 4 @@
          line 4
          line 5
        - line 6
        + line six
          line 7
          line 8
        ```

        </details>

        <details>
        <summary>calls on <code>loja</code>, in this order</summary>
        <ol>
        <li>park <code>menu</code>: <code>to free its trigger</code></li>
        <li>delete <code>old</code></li>
        <li>update <code>menu</code></li>
        </ol>

        </details>

        <details>
        <summary>1 unmanaged bot on 1 instance, never written to.</summary>
        <p><code>loja</code>: <code>it has no marker, id cm7</code></p>

        </details>

        """)  # noqa: E501  a row is a line
    assert markdown.plan(made) == shown + _foot(made)


@pytest.mark.parametrize(
    ("made", "block"),
    [
        pytest.param(
            change(Verb.CREATE, ("enabled", None, True), ("unknownMessage", None, "one\n\n::error::two ")),
            """
            <summary><b>create</b> <code>loja</code> / <code>menu</code></summary>
            <p><code>a reason</code></p>
            <table>
            <tr><th>field</th><th>after</th></tr>
            <tr><td><code>enabled</code></td><td><code>true</code></td></tr>
            </table>

            <p><code>unknownMessage</code></p>

            ```diff
            + one
            +·
            + ::error::two·
            ```
            """,
            id="a create: every text whole",
        ),
        pytest.param(
            change(
                Verb.UPDATE, ("unknownMessage", "::error::a\n##[x]\nb", "::error::a\n##[x]\n```\n@c\n````b")
            ),
            """
            <summary><b>update</b> <code>loja</code> / <code>menu</code></summary>
            <p><code>a reason</code>, on the server <code>cm1</code></p>

            <p><code>unknownMessage</code></p>

            `````diff
              <U+003A>:error::a
              ##<U+005B>x]
            - b
            + ```
            + @c
            + ````b
            `````
            """,
            id="a longer fence, and commands that are none",
        ),
        pytest.param(
            replace(change(Verb.ADOPT, ("keywordFinish", "não", "não\x1b[2J")), cause="drift", reason="why"),
            """
            <summary><b>adopt</b> <code>loja</code> / <code>menu</code> · drift: <code>why</code></summary>
            <p><code>why</code>, on the server <code>cm1</code></p>
            <table>
            <tr><th>field</th><th>before</th><th>after</th></tr>
            <tr><td><code>keywordFinish</code></td><td><code>"não"</code></td><td><code>"não␛[2J"</code></td></tr>
            </table>
            """,
            id="escapes that are seen",
        ),
        pytest.param(
            replace(change(Verb.BLOCKED, ("</code>@x", "a", "b")), cause="drift", reason="why"),
            """
            <summary><b>blocked</b> <code>loja</code> / <code>menu</code> · drift: <code>why</code></summary>
            <p><code>why</code>, on the server <code>cm1</code></p>
            <table>
            <tr><th>field</th><th>before</th><th>after</th></tr>
            <tr><td><code>&lt;/code&gt;&#64;x</code></td><td><code>"a"</code></td><td><code>"b"</code></td></tr>
            </table>
            """,
            id="a field's name, which a saved plan may have from anywhere",
        ),
    ],
)
def test_a_bot(made: Change, block: str) -> None:
    _, _, rest = markdown.plan(plan(made)).partition("<details open>\n")
    shown, _, _ = rest.partition("\n\n</details>")
    assert shown.replace("+ \n", "+·\n") == dedent(block).strip()


def test_what_is_dangerous_comes_first() -> None:
    """A catch-all before all else; an unmanaged bot and what is not of this pull request are folded lines."""
    catch_all = change(Verb.CREATE, ("enabled", None, True), ("triggerType", None, "all"), bot="all")
    made = plan(*(change(verb, bot=verb.value) for verb in Verb), catch_all)
    shown = re.findall("<summary>(?:<b>(.*?)</b>)?(.*?)</summary>", markdown.plan(made))
    assert [verb or line for verb, line in shown] == [
        *(
            "create",
            "delete",
            "replace",
            "move",
            "rotate",
            "adopt",
            "blocked",
            "conflict",
            "create",
            "update",
        ),
        *("off", "orphan", "forget", "withdrawn"),
        "1 change is not part of this plan, and is not made.",
        "1 unmanaged bot on 1 instance, never written to.",
    ]
    assert "<code>all</code> · <b>catch-all</b>" in shown[0][1]


def test_keys_that_are_not_at_hand_stand_out() -> None:
    """They do so where nothing else is to be said, and what they are called is foreign text."""
    unverified = {"<main>": "@KEY is not set"}
    page = markdown.plan(
        Plan("", "", (InstancePlan("loja", credentials={"<main>": "missing"}, unverified=unverified),))
    )
    assert (
        "<summary><b>no key</b>: <code>credential &lt;main&gt;</code> of <code>loja</code>: "
        "<code>it is missing, and an apply needs its key: &#64;KEY is not set</code></summary>"
    ) in page


def test_results() -> None:
    held = replace(change(Verb.BLOCKED, ("maxTokens", 1, 2), bot="new"), reason="nobody reviewed it")
    made = plan(change(Verb.UPDATE, ("expire", 1, 2)), change(Verb.CREATE, bot="a"), held)
    ended = Results(
        (
            Result(made.instances[0].changes[1], Outcome.APPLIED, id="cm2"),
            Result(made.instances[0].changes[0], Outcome.FAILED, "the server said 500: @x\n<b>"),
        ),
        signal=15,
    )
    shown = dedent("""\
        **2 changes: 1 applied, 1 failed.**
        **Stopped by SIGTERM.**

        > [!WARNING]
        > Not everything was applied.

        <table>
        <tr><th></th><th>instance</th><th>bot</th><th>why</th></tr>
        <tr><td><b>failed</b>: update</td><td><code>loja</code></td><td><code>menu</code></td><td><code>the server said 500: &#64;x⏎&lt;b&gt;</code></td></tr>
        <tr><td><b>blocked</b></td><td><code>loja</code></td><td><code>new</code></td><td><code>nobody reviewed it</code></td></tr>
        </table>

        <details>
        <summary>1 applied</summary>
        <table>
        <tr><th></th><th>instance</th><th>bot</th></tr>
        <tr><td>create</td><td><code>loja</code></td><td><code>a</code></td></tr>
        </table>

        </details>

        <details>
        <summary><b>update</b> <code>loja</code> / <code>menu</code></summary>
        <p><code>a reason</code>, on the server <code>cm1</code></p>
        <table>
        <tr><th>field</th><th>before</th><th>after</th></tr>
        <tr><td><code>expire</code></td><td><code>1 minute</code></td><td><code>2 minutes</code></td></tr>
        </table>

        </details>

        <details>
        <summary><b>blocked</b> <code>loja</code> / <code>new</code>: <code>nobody reviewed it</code></summary>
        <p><code>nobody reviewed it</code>, on the server <code>cm1</code></p>
        <table>
        <tr><th>field</th><th>before</th><th>after</th></tr>
        <tr><td><code>maxTokens</code></td><td><code>1</code></td><td><code>2</code></td></tr>
        </table>

        </details>

        """)  # noqa: E501
    assert markdown.results(made, ended) == shown + _foot(made)
    assert markdown.results(plan(), Results(())) == f"**0 changes: nothing to do.**\n\n{_foot(plan())}"


# -- by GitHub's own rules, for hostile texts --------------------------------------------------

_CANARY = "Zq9canary"
_FRAGMENTS = [
    *("@octocat", "@org/team", "a@b.co", "#1", "GH-1", "o/r#1", "0123456789abcdef" * 2 + "01234567"),
    *("http://a.co", "www.a.co", "[a](b)", "![a](b)", "[a]: b", "[^1]", "[ ] ", ":+1:", "$a$", "$`a`$"),
    *(
        "`",
        "``",
        "```",
        "`````",
        "~~~~",
        "```diff",
        "|",
        "\\",
        "\\|",
        "|-|-|",
        "*",
        "__",
        "~~",
        "&#64;a",
        "&lt;",
    ),
    *(
        "</code>",
        "</pre>",
        "</details>",
        "</td></tr></table>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "<!A",
    ),
    *("<script>", "</script>", "<img src=x>", "<a href=//a.co>", "<style>", "<textarea>", '"', "'", "<", ">"),
    *(
        "::error::x",
        "::stop-commands::x",
        "::set-output name=a::b",
        "##[error]x",
        "##[",
        "##",
        "::",
        "[!NOTE]",
    ),
    *(
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\n\n\n",
        "\n```\n",
        "\n</details>\n\n",
        "\n    ",
        "\t",
        " ",
        "   ",
        "\n> ",
        "\n- ",
    ),
    *(
        "\x00",
        "\x1b[31m",
        "\x1b]8;;a\x07",
        "\x85",
        "\u2028",
        "\u202e",
        "\u200b",
        "\ufeff",
        "\u3000",
        "\ud800",
    ),
]
_HOSTILE = st.lists(st.sampled_from(_FRAGMENTS) | st.just(_CANARY) | st.text(max_size=5), max_size=12).map(
    "".join
)
_LONG = st.builds(lambda piece, times: (piece + _CANARY) * times, _HOSTILE, st.integers(1, 30))
_TEXT = _HOSTILE | _LONG


def _check(shown: str) -> Page:
    """What must hold for any page, whatever is on it."""
    for line in shown.splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    page = Page(shown)
    for piece in page.texts:
        if not piece.is_code:
            assert _CANARY not in piece.text
            assert not re.search(r"[@#`|\\$]|://|www\.", piece.text.replace("[!WARNING]", "")), piece
    # Everything that is ours is where we put it: the digest in the last paragraph, outside all else.
    assert page.texts[-2].within == ("p", "code")
    return page


@settings(max_examples=often(150), deadline=None)
@given(plans.plans(_TEXT))
@example(plan(change(Verb.UPDATE, ("model", "", "\n" + "`" * 9), ("model", "\n", "\n    ```\n~~~\n"))))
def test_no_plan_escapes_its_place(made: Plan) -> None:
    page = _check(markdown.plan(made, max_chars=_HUGE))
    assert page.elements.count("details") == _blocks(made)
    assert page.texts[-2].text == made.digest


@settings(max_examples=often(100), deadline=None)
@given(plans.plans(_TEXT), plans.results(_TEXT))
def test_no_results_escape_their_place(made: Plan, ended: Results) -> None:
    page = _check(markdown.results(made, ended, max_chars=_HUGE))
    lost = [result.change for result in ended.results if result.outcome is not Outcome.APPLIED]
    kept = [g for g in groups(made) if g.shown.verb in {Verb.BLOCKED, Verb.CONFLICT}]
    blocks = len(grouped(lost)) + len(kept) + (len(lost) < len(ended.results))
    assert page.elements.count("details") == blocks


def _blocks(made: Plan) -> int:
    """How many blocks its page has: one for each group, and one for each of what is folded."""
    aside = {Verb.BEFORE: 0, Verb.UNMANAGED: 0}
    shown = 0
    for group in groups(made):
        verb = group.shown.verb
        if verb is Verb.BEFORE or (verb is Verb.UNMANAGED and group.shown.of is Of.BOT):
            aside[verb] = 1
        else:
            shown += 1
    return (
        shown
        + sum(aside.values())
        + len(problems(made))
        + len(calls.lists(made))
        + len(summary.unverified(made))
    )


@settings(deadline=None)
@given(_HOSTILE, _HOSTILE, _HOSTILE)
@example("@octocat" * 12, "", "")
def test_what_is_shown_is_what_was_said(name: str, reason: str, value: str) -> None:
    """In code nothing is lost and nothing is read as something else."""
    made = Plan("", "", (InstancePlan(name, (Change(name, "menu", Verb.DELETE, reason),)),))
    codes = [piece.text for piece in Page(markdown.plan(made)).texts if piece.is_code]
    assert safe.line(reason) in codes or reason == ""
    assert safe.line(name) in codes or name == ""
    shown = markdown.plan(plan(change(Verb.CREATE, ("unknownMessage", None, f"{value}\n{'x' * 200}"))))
    pre = next(piece.text for piece in Page(shown).texts if "pre" in piece.within)
    lines = [line.removeprefix("+ ").rstrip("·") for line in pre.splitlines()]
    said = [safe.inert(f"+ {safe.line(line.rstrip(' '))}") for line in value.split("\n")]
    assert lines[:-1] == [line.removeprefix("+ ").rstrip("·") for line in said]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["```", "````", "~~~~~", " ```", "", "</details>", "a", "`" * 9]), max_size=4)
)
@example(["```"])
@example(["", "~~~", "", "</details>"])
def test_no_unchanged_line_closes_its_fence(around: list[str]) -> None:
    """Such a line stands behind two spaces alone, with which a fence could end."""
    old, new = ("\n".join([*around, side, *around, "z" * 200]) for side in ("old", "new"))
    page = Page(markdown.plan(plan(change(Verb.UPDATE, ("unknownMessage", old, new)))))
    lines = [piece.text for piece in page.texts if "pre" in piece.within]
    shown = [f"  {line}" for line in around]
    expected = [*shown[-2:], "- old", "+ new", *shown[:2], *["  " + "z" * 200] * (len(around) < 2)]
    assert [line for line in lines[0].splitlines() if not line.startswith("@@")] == expected
    assert page.elements.count("pre") == 1


# -- the limits of GitHub ----------------------------------------------------------------------


def _large(changes: int, each: int = 10) -> Plan:
    """A plan of changes that are all different."""

    def fields(number: int) -> list[tuple[str, Value | None, Value | None]]:
        return [
            ("maxTokens", 300, number),
            ("systemMessages", (_PROMPT,), (_PROMPT.replace("line 6", "linha seis, não"),)),
        ]

    verbs = [Verb.UPDATE, Verb.CREATE, Verb.DELETE, Verb.ADOPT, Verb.CONFLICT]
    return Plan(
        "http://127.0.0.1:8080",
        "gitops",
        tuple(
            InstancePlan(
                f"loja-{n:03}",
                tuple(
                    replace(change(verbs[i % 5], *fields(n), bot=f"bot-{i}"), instance=f"loja-{n:03}")
                    for i in range(each)
                ),
            )
            for n in range(changes // each)
        ),
    )


@pytest.mark.parametrize(("number", "most"), [(40, 3000), (1000, 20_000), (4000, 20_000)])
def test_a_line_of_a_shared_prompt_on_a_fleet(number: int, most: int) -> None:
    """One block, with one diff, and the rest of the comment in a few lines."""
    shown = markdown.plan(shop(number), more="See the artifact.")
    assert len(shown) < most
    page = _check(shown)
    assert page.elements.count("pre") == 1
    assert page.elements.count("details") == 3
    assert f"</code> on all {number} instances · <code>bots/prompts/atendente.md</code>" in shown
    assert f"on <code>loja-0001…{number:04}</code>" in shown
    assert f"{3 * number // 10 - 1} unmanaged bots on" in shown
    assert f"{number} credentials: <code>their keys are not compared: OPENAI_KEY_1 is not set" in shown
    assert "artifact" not in shown


def test_two_thousand_changes_in_a_comment() -> None:
    made, more = _large(2000), "The whole plan is in [the artifact](https://github.com/o/r/actions/runs/1)."
    start = time.process_time()
    shown = markdown.plan(made, more=more)
    assert time.process_time() - start < 30, "quadratic"
    assert 60_000 < len(shown.encode()) <= 65_536
    assert shown.startswith(f"**{summary.counts(made)}**\n")
    whole, lines = shown.count("<details>"), shown.count("\n<p><b>delete</b>")
    assert whole > 20
    left = re.search(
        r"Left out: (\d+) changes in (\d+) groups\. Without details: (\d+) changes in \d+ groups\.", shown
    )
    assert left is not None
    assert left[1] == left[2]
    assert int(left[1]) + int(left[3]) + whole == 2000
    assert lines
    assert f"\n\n{more}\n\n{_foot(made)}" in shown
    assert "> 400 bots are deleted, and their open sessions end." in shown


def test_a_summary_holds_more() -> None:
    comment = markdown.plan(_large(2000))
    summary = markdown.plan(_large(2000), max_chars=markdown.SUMMARY)
    assert len(summary.encode()) <= markdown.SUMMARY
    assert summary.count("<details>") > 10 * comment.count("<details>")


def test_the_sentence_about_the_rest_is_there_only_if_something_is_left_out() -> None:
    assert "artifact" not in markdown.plan(_large(10), more="See the artifact.")
    assert "artifact" in markdown.plan(_large(1000), more="See the artifact.")


def _rewritten(*, lines: int, bot: str = "menu", line: str = "before line") -> Change:
    """A bot whose prompt has so many lines, all of which change."""
    old = "\n".join(f"{line} {n}" for n in range(lines))
    return change(Verb.UPDATE, ("systemMessages", (old,), (old.replace("before", "after!"),)), bot=bot)


@pytest.mark.parametrize("most", [8192, 64_000, 65_536])
@pytest.mark.parametrize("more", ["", "The whole plan is in the artifact."])
@pytest.mark.parametrize(
    "line", ["before line", "before ```` fence", "before não ✓" * 20, "before " + "x" * 3000]
)
def test_a_prompt_of_which_every_line_changed_shows_its_beginning(most: int, more: str, line: str) -> None:
    made = plan(_rewritten(lines=2500, line=line), steps=())
    shown = markdown.plan(made, max_chars=most, more=more)
    assert most / 2 < len(shown.encode()) <= most
    page = _check(shown)
    [diff] = [piece.text for piece in page.texts if "pre" in piece.within]
    assert page.elements.count("details") == page.elements.count("pre") == 1
    lines = diff.splitlines()
    assert lines[0].startswith("- before")
    left = re.search(r"<p>(\d+) more lines of this diff left out\.</p>", shown)
    assert left is not None
    assert int(left[1]) + len(lines) == 5000
    assert "Shown in part: 1 change in 1 group." in shown
    assert more in shown


def test_several_huge_changes_share_the_page() -> None:
    huge = [_rewritten(lines=1500, bot=f"huge-{n}") for n in range(3)]
    made = plan(huge[0], _rewritten(lines=5, bot="small"), *huge[1:], steps=())
    shown = markdown.plan(made, max_chars=64_000)
    sizes = {
        block.partition("</summary>")[0].rpartition("<code>")[2].removesuffix("</code>"): len(block)
        for block in shown.split("<details>")[1:]
    }
    assert list(sizes) == ["huge-0", "small", "huge-1", "huge-2"]
    large = [size for bot, size in sizes.items() if bot != "small"]
    assert min(large) > 0.9 * max(large)
    assert 60_000 < len(shown.encode()) <= 64_000
    assert "Shown in part: 3 changes in 3 groups." in shown
    assert "Left out" not in shown


def test_a_bot_that_no_page_can_hold_is_shown_in_part() -> None:
    huge = change(Verb.CREATE, ("systemMessages", None, ("x\n" * 40_000,)), bot="huge")
    shown = markdown.plan(plan(change(Verb.UPDATE, bot="one"), huge, change(Verb.UPDATE, bot="two")))
    assert "<summary><b>create</b> <code>loja</code> / <code>huge</code></summary>" in shown
    assert re.search(r"<p>\d+ more lines of this diff left out\.</p>", shown)
    assert (
        shown.index("<code>one</code>") < shown.index("<code>huge</code>") < shown.index("<code>two</code>")
    )
    assert "Shown in part: 1 change in 1 group." in shown
    assert shown.count("<details>") == shown.count("</details>") == 3


@settings(max_examples=often(100), deadline=None)
@given(
    st.lists(plans.plans(_TEXT), min_size=1, max_size=4),
    plans.results(_LONG),
    st.integers(markdown.LEAST, 4 * markdown.LEAST),
    st.sampled_from(["", "See the ação."]),
)
def test_no_page_is_longer_than_it_may_be(parts: list[Plan], ended: Results, most: int, more: str) -> None:
    made = replace(parts[0], instances=tuple(i for part in parts for i in part.instances))
    for shown, first in [
        (markdown.plan(made, max_chars=most + len(more.encode()) + 2, more=more), summary.counts(made)),
        (
            markdown.results(made, ended, max_chars=most + len(more.encode()) + 2, more=more),
            next(outcomes.endings(ended)),
        ),
    ]:
        assert len(shown.encode()) <= most + len(more.encode()) + 2
        assert shown.startswith(f"**{first}**\n")
        page = _check(shown)
        assert page.texts[-2].text == made.digest
        left_out = any("Too long to show in full." in piece.text for piece in page.texts)
        assert (more in shown) >= left_out


def test_a_page_too_small_for_anything_is_refused() -> None:
    with pytest.raises(ReconcilerError, match="must be 6144 plus"):
        markdown.plan(plan(), max_chars=markdown.LEAST, more="x")


def test_the_same_in_every_process() -> None:
    """Whatever order sets and hashes have there."""
    script = (
        "import hashlib\n"
        "from reconciler.render import markdown\n"
        "from tests.render.test_markdown import _large\n"
        "made = _large(2000)\n"
        "print(made.digest, hashlib.sha256(markdown.plan(made).encode()).hexdigest())\n"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1
    assert _large(2000).digest in shown.pop()
