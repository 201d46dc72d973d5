"""`disable` and `enable`, and what plan and apply make of a bot that is switched off."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, Run, Start
from tests.support import Json, World, often


@pytest.fixture(scope="module")
def _older() -> Iterator[Sandbox]:
    with Sandbox(api_key=KEY, version="2.2.3") as server:
        yield server


@pytest.fixture(params=["2.3.6", "2.2.3"])
def on(
    request: pytest.FixtureRequest, server: Sandbox, _older: Sandbox, environment: dict[str, str]
) -> Sandbox:
    """An empty server of each version, which the commands call."""
    found = server if request.param == "2.3.6" else _older
    found.clear()
    environment["EVOLUTION_API_URL"] = found.url
    return found


@pytest.fixture
def there(on: Sandbox) -> Iterator[World]:
    """The same server, with the instance that the manifest names."""
    with World(on.url, KEY) as world:
        world.instance("loja", "main")
        yield world


@pytest.fixture
def bots(bots: Path) -> Path:
    """Manifests that say that their bots are on."""
    edited(bots, "{openaiCreds", "{enabled: true, openaiCreds")
    return bots


@pytest.fixture
def applied(run: Run, on: Sandbox, there: World, bots: Path) -> Path:
    """The manifests, which are applied."""
    assert run("apply", "--yes").exit_code == 0
    on.calls.clear()
    return bots


def verbs(run: Run) -> list[tuple[str, str]]:
    return [(change["bot"], change["verb"]) for change in plan(run)["changes"]]


def plan(run: Run) -> Json:
    shown = run("plan", "--format", "json")
    assert shown.exit_code == 0, shown.stderr
    made = json.loads(shown.stdout)
    return {"changes": [change for one in made["instances"] for change in one["changes"]], "whole": made}


def edited(bots: Path, old: str, new: str) -> None:
    text = (bots / "loja.yaml").read_text()
    assert old in text
    (bots / "loja.yaml").write_text(text.replace(old, new))


def enabled(world: World) -> dict[str, bool]:
    return {
        bot["description"].partition(":")[2].partition("]")[0]: bot["enabled"] for bot in world.bots("loja")
    }


def wrote(server: Sandbox) -> int:
    """How many writing calls there were since the last look."""
    found = len(server.writes)
    server.calls.clear()
    return found


@pytest.mark.parametrize("declared", [True, False])
def test_from_off_to_on(run: Run, on: Sandbox, there: World, applied: Path, declared: bool) -> None:
    if not declared:
        edited(applied, "enabled: true, ", "")
        assert run("apply", "--yes").exit_code == 0
        wrote(on)
    off = run("disable", "um@loja")
    assert off.exit_code == 0, off.stderr
    assert off.stdout.splitlines()[1].split() == ["loja", "um", "off"]
    assert "To switch it on: reconciler enable um@loja" in off.stdout
    assert (wrote(on), enabled(there)) == (1, {"um": False, "dois": True})

    shown = run("plan", "--detailed-exitcode")
    assert shown.exit_code == 2
    assert shown.stdout.splitlines()[0] == "No changes. 1 bot in sync on 1 instance; 1 bot switched off."
    sentence = " ".join(shown.stdout.split())
    assert "! um off: switched off by hand on 20" in sentence
    assert (
        "until you run `reconciler enable um@loja`; to make that permanent, set `enabled: false`" in sentence
    )
    assert verbs(run) == [("um", "off")]
    markdown = run("plan", "--format", "markdown").stdout
    assert "1 bot switched off" in markdown

    kept = run("apply", "--yes")
    assert (kept.exit_code, wrote(on), enabled(there)["um"]) == (0, 0, False)

    edited(applied, '["Sim."]', '["Claro."]')
    assert verbs(run) == [("um", "update"), ("um", "off")]
    assert run("plan", "--detailed-exitcode", "--out", "plan.json").exit_code == 2
    assert run("show", "plan.json").exit_code == 0
    assert run("apply", "plan.json", "--yes").exit_code == 0
    assert (wrote(on), enabled(there)["um"]) == (1, False)
    assert verbs(run) == [("um", "off")]

    assert run("enable", "um@loja").exit_code == 0
    assert (wrote(on), enabled(there)) == (1, {"um": True, "dois": True})
    assert run("plan", "--detailed-exitcode").exit_code == 0
    assert {bot["systemMessages"][0] for bot in there.bots("loja") if bot["systemMessages"]} == {"Claro."}


def test_what_git_has_off_too_is_in_sync_after_one_apply(run: Run, on: Sandbox, applied: Path) -> None:
    run("disable", "um@loja")
    wrote(on)
    edited(applied, "um: {", "um: {enabled: false, ")
    assert verbs(run) == [("um", "update")]
    assert run("apply", "--yes").exit_code == 0
    assert wrote(on) == 1
    assert run("plan", "--detailed-exitcode").exit_code == 0
    edited(applied, "enabled: false, ", "enabled: true, ")
    assert verbs(run) == [("um", "update")]
    assert run("apply", "--yes").exit_code == 0
    assert run("plan", "--detailed-exitcode").exit_code == 0


def test_a_recreated_bot_stays_off(run: Run, there: World, applied: Path) -> None:
    run("disable", "um@loja")
    edited(applied, '["Sim."]', '["Claro."]')
    assert run("apply", "--replace", "--yes").exit_code == 0
    assert enabled(there) == {"um": False, "dois": True}
    assert verbs(run) == [("um", "off")]


def test_a_plan_that_was_saved_before_does_not_switch_it_on(
    run: Run, on: Sandbox, there: World, applied: Path
) -> None:
    edited(applied, '["Sim."]', '["Claro."]')
    run("plan", "--out", "before.json")
    run("disable", "um@loja")
    wrote(on)
    late = run("apply", "before.json", "--yes")
    assert (late.exit_code, wrote(on), enabled(there)["um"]) == (1, 0, False)
    assert "it changed since the plan was made: enabled, description" in late.stdout
    blocked = run("apply", "--reviewed", "before.json", "--yes")
    assert (blocked.exit_code, wrote(on), enabled(there)["um"]) == (1, 0, False)


@pytest.mark.parametrize("manifest", ["bots: [", "bots: {um: {maxTokens: viel}}", None])
def test_no_manifest_is_read(run: Run, there: World, applied: Path, manifest: str | None) -> None:
    if manifest is None:
        (applied / "loja.yaml").unlink()
        applied.rmdir()
    else:
        (applied / "loja.yaml").write_text(manifest)
    assert run("plan").exit_code == 1
    assert run("disable", "um@loja").exit_code == 0
    assert enabled(there) == {"um": False, "dois": True}
    assert run("enable", "um@loja").exit_code == 0
    assert enabled(there) == {"um": True, "dois": True}


def test_an_imported_switch_is_what_git_says(run: Run, on: Sandbox, applied: Path) -> None:
    """The other way on: what is off is written into a manifest that says that it is on."""
    run("disable", "um@loja")
    assert run("import", "--update", "--into", applied).exit_code == 0
    assert "enabled: false" in (applied / "loja.yaml").read_text()
    assert run("apply", "--yes").exit_code == 0
    assert run("plan", "--detailed-exitcode").exit_code == 0


@pytest.mark.parametrize("on", ["2.3.6"], indirect=True)
@pytest.mark.parametrize(
    ("args", "code", "left"),
    [
        (["um@loja"], 0, ["dois"]),
        (["um@loja", "dois@loja"], 0, []),
        (["*@loja"], 1, ["um", "dois"]),
        (["um@*"], 1, ["um", "dois"]),
        (["--instance", "loja", "--all"], 1, ["um", "dois"]),
        (["*@loja", "--yes"], 0, []),
        (["--instance", "l*", "--all", "--yes"], 0, []),
        (["um@loja", "--dry-run"], 0, ["um", "dois"]),
        (["*@loja", "--dry-run"], 0, ["um", "dois"]),
        (["zoe@loja", "--dry-run"], 1, ["um", "dois"]),
        (["zoe@loja", "um@loja"], 1, ["dois"]),
        (["--all"], 2, ["um", "dois"]),
        ([], 2, ["um", "dois"]),
        (["um@loja", "--instance", "loja"], 2, ["um", "dois"]),
        (["um@loja", "--instance", "loja", "--all", "--yes"], 2, ["um", "dois"]),
        (["um"], 1, ["um", "dois"]),
        (["um@loja", "--owner", "team2"], 1, ["um", "dois"]),
        (["um@loja", "--owner", "8"], 1, ["um", "dois"]),
    ],
)
def test_what_is_switched_without_a_question(
    run: Run, there: World, applied: Path, args: list[str], code: int, left: list[str]
) -> None:
    done = run("disable", *args)
    assert done.exit_code == (1 if code else 0), done.output
    assert (done.stderr != "") is bool(code)
    assert ("Usage:" in done.stderr) is (code == 2)
    assert sorted(name for name, is_on in enabled(there).items() if is_on) == sorted(left)
    if "--dry-run" in args:
        assert "Nothing was written." in done.stdout


def test_a_question_needs_a_terminal_and_nothing_to_do_needs_none(run: Run, applied: Path) -> None:
    asked = run("disable", "*@loja")
    assert asked.stderr == "Error: nothing was switched: pass --yes to switch bots without a terminal.\n"
    run("disable", "*@loja", "--yes")
    again = run("disable", "*@loja")
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "2 bots: 2 left as they are.")


def _session_line(done: Result) -> str:
    return next(line for line in done.stdout.splitlines() if "open session" in line and "answered" in line)


def test_sessions_are_counted_and_no_contact_is_shown(
    run: Run, on: Sandbox, there: World, applied: Path
) -> None:
    ids = {bot["description"].partition("]")[0].rpartition(":")[2]: bot["id"] for bot in there.bots("loja")}
    for number in range(3):
        on.open_session("loja", ids["um"], f"55119999{number}@s.whatsapp.net")
    on.open_session("loja", ids["dois"], "5511888@s.whatsapp.net")
    off = run("disable", "um@loja")
    again = "To end what is open: reconciler disable um@loja --close-sessions"
    assert _session_line(off) == f"The 3 open sessions are still answered. {again}"
    both = run("disable", "*@loja", "--yes")
    again = "To end what is open: the same command with --close-sessions"
    assert _session_line(both) == f"The 4 open sessions are still answered. {again}"
    closed = run("disable", "um@loja", "--close-sessions")
    assert (closed.exit_code, closed.stdout.splitlines()[-1]) == (
        0,
        "1 bot: 1 left as it is. 3 sessions ended.",
    )
    for done in (off, both, closed):
        assert "5511" not in done.output
    assert _session_line(run("disable", "dois@loja")).startswith("The open session is still answered.")


def test_names_are_shown_and_quoted_as_they_must_be(run: Run, on: Sandbox, bots: Path) -> None:
    name = "Loja d'Or \u202e1"
    (bots / "loja.yaml").rename(bots / "x.yaml")
    (bots / "x.yaml").write_text(f"instance: {json.dumps(name)}\n" + (bots / "x.yaml").read_text())
    with World(on.url, KEY) as world:
        world.instance(name, "main")
    assert run("apply", "--yes").exit_code == 0
    off = run("disable", f"um@{name}")
    assert off.exit_code == 0, off.output
    assert "reconciler enable 'um@Loja d'\"'\"'Or <U+202E>1'" in off.stdout
    assert "\u202e" not in off.output + run("plan").output


def test_ctrl_c_ends_a_switch_after_its_call(
    start: Start, server: Sandbox, world: World, run: Run, bots: Path
) -> None:
    world.instance("loja", "main")
    assert run("apply", "--yes").exit_code == 0
    server.calls.clear()
    server.options.latency = 0.3
    process = start("disable", "*@loja", "--yes")
    for _ in range(3000):
        if sum("openai/find" in call.path for call in server.calls) >= 2:  # the run has begun
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    server.options.latency = 0.0
    assert process.returncode == 130, (out, err)
    assert "not attempted" in out
    assert len(server.writes) <= 1


@settings(max_examples=often(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chain=st.lists(
        st.sampled_from(["off um", "off *", "on um", "on *", "apply", "edit", "drift", "by hand"]), max_size=6
    )
)
def test_any_chain_ends_with_nothing_but_what_is_off(
    run: Run, on: Sandbox, bots: Path, chain: list[str]
) -> None:
    on.clear()
    texts = iter(range(100))
    manifest = (bots / "loja.yaml").read_text()
    with World(on.url, KEY) as world:
        world.instance("loja", "main")
        assert run("apply", "--yes").exit_code == 0
        off: set[str] = set()
        for step in [*chain, "apply"]:
            what, _, name = step.partition(" ")
            names = {"um", "dois"} if name == "*" else {name}
            if what in {"off", "on"}:
                done = run("disable" if what == "off" else "enable", f"{name}@loja", "--yes")
                assert done.exit_code == 0, done.output
                off = off | names if what == "off" else off - names
            elif what == "edit":
                edited(
                    bots,
                    (bots / "loja.yaml").read_text().partition("[")[2].partition("]")[0],
                    f'"{next(texts)}"',
                )
            elif what in {"drift", "by"}:
                [bot] = [bot for bot in world.bots("loja") if ":um]" in bot["description"]]
                world.change(
                    "loja", bot, **({"systemMessages": ["drift"]} if what == "drift" else {"enabled": True})
                )
                off = off if what == "drift" else off - {"um"}
            else:
                assert run("apply", "--yes").exit_code == 0
        assert sorted(verbs(run)) == sorted((name, "off") for name in off)
        assert enabled(world) == {name: name not in off for name in ("um", "dois")}
    (bots / "loja.yaml").write_text(manifest)
