"""doctor: one screen that says what is right, what is in the way, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.cli.conftest import KEY, Run, Start
from tests.cli.test_process import Terminal
from tests.evolution.scripted import LICENCE, NOWHERE, Act, page, raw, refusal, reply, serving, stall
from tests.support import World

_SIGNS = {"✓": "good", "!": "note", "✗": "bad"}

Found = dict[str, tuple[str, str]]
"""How each thing is and what is said of it, by what it is; several of one thing are joined."""


def _found(shown: str) -> Found:
    found: Found = {}
    about = ""
    *lines, blank, _ = shown.splitlines()
    assert blank == ""
    for line in lines:
        if line[0] in _SIGNS:
            about, said = re.split(" {2,}", line[2:], maxsplit=1)
            mark = _SIGNS[line[0]]
            if about in found:
                mark, said = f"{found[about][0]} {mark}", f"{found[about][1]} | {said}"
        else:
            mark, said = found[about][0], f"{found[about][1]} {line.strip()}"
        found[about] = (mark, said)
    return found


@pytest.fixture
def doctor(run: Run, bots: Path) -> Callable[..., Found]:
    """Runs doctor; the exit code has to fit what it found."""

    def doctor(*args: str | Path, env: dict[str, str | None] | None = None) -> Found:
        result = run("doctor", "--bots", bots, *args, env={"COLUMNS": "1000", **(env or {})})
        assert result.stderr == ""
        found = _found(result.stdout)
        bad = sum(mark.split().count("bad") for mark, _ in found.values())
        last = {0: "No problems found.", 1: "1 problem found."}.get(bad, f"{bad} problems found.")
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (int(bad > 0), last)
        return found

    return doctor


@contextmanager
def _scripted(*acts: Act) -> Iterator[str]:
    """A server that behaves so, in a thread of its own; its address."""
    ready, done = threading.Event(), asyncio.Event()
    urls: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with serving(*acts) as spy:
            urls.append(spy.url)
            loops.append(asyncio.get_running_loop())
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join()


# -- when all is right -------------------------------------------------------------------------


def test_all_is_right(
    doctor: Callable[..., Found], run: Run, server: Sandbox, world: World, bots: Path
) -> None:
    world.instance("loja", "main")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    server.calls.clear()
    found = doctor()
    assert {mark for mark, _ in found.values()} == {"good"}
    assert list(found) == [
        "manifests",
        "server",
        "version",
        "key",
        "integration",
        "instances",
        "credentials",
        "settings",
        "bots",
    ]
    assert found["bots"][1] == "2 declared for the owner gitops: 2 found."
    assert server.writes == []


def test_the_same_as_json(run: Run, world: World, bots: Path) -> None:
    args = ["doctor", "--bots", bots]
    for _ in range(2):  # without its instance, and with it
        text, result = run(*args), run(*args, "--format", "json")
        document = json.loads(result.stdout)
        assert (result.exit_code, result.stderr) == (text.exit_code, "")
        assert (document["format"], document["version"]) == ("evolution-reconciler/doctor", 1)
        found = document["findings"]
        assert document["problems"] == sum(one["mark"] == "bad" for one in found) == text.exit_code
        shown = " ".join(text.stdout.split())
        for one in found:
            assert f"{one['about']} {' '.join(one['message'].split())}" in shown
            assert one["todo"] is None or f"→ {one['todo']}" in shown
        if text.exit_code:
            world.instance("loja", "main")
    assert text.exit_code == 0


def test_it_fits_on_a_screen(run: Run, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    shown = run("doctor", "--bots", bots, env={"COLUMNS": "80"}).stdout.splitlines()
    assert len(shown) <= 24
    assert all(len(line) <= 100 for line in shown)


# -- the server --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "env", "said"),
    [
        ([], {"EVOLUTION_API_URL": None}, "set EVOLUTION_API_URL or --url"),
        (["--url", "http://evolution.example.com"], {}, "--allow-http"),
        (["--url", f"https://{NOWHERE}"], {}, "its host name is not known"),
        (["--url", "evolution"], {}, "looks like https://"),
        (["--url", f"https://me:{KEY}@example.com"], {}, "must not carry a name or a password"),
    ],
)
def test_no_server(
    doctor: Callable[..., Found], args: list[str], env: dict[str, str | None], said: str
) -> None:
    found = doctor(*args, env=env)
    assert list(found) == ["manifests", "server"]
    assert found["server"][0] == "bad"
    assert said in found["server"][1]


def test_a_server_that_is_down(doctor: Callable[..., Found]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert "Cannot reach the server" in doctor("--url", f"http://127.0.0.1:{port}")["server"][1]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (reply(503, LICENCE), "LICENSE_REQUIRED"),
        (page(200, "<title>Sign in \x1b[31m</title>"), "Sign in"),
        (page(502, "<title>Bad gateway</title>"), "is not available now"),
        (
            reply(301, "", "Location: https://elsewhere.example/\r\n"),
            "redirects to https://elsewhere.example/",
        ),
        (refusal(404, "Cannot GET /openai/find/loja"), "has no such route"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "its answer is not HTTP"),
        (stall, "did not answer within 0.2 seconds"),
    ],
)
def test_something_else_answers(doctor: Callable[..., Found], act: Act, said: str) -> None:
    with _scripted(act) as url:
        found = doctor("--url", url, "--timeout", "0.2" if act is stall else "30")
    assert list(found) == ["manifests", "server"]
    assert found["server"][0] == "bad"
    assert said in found["server"][1]


@pytest.mark.parametrize(
    ("version", "mark", "said"),
    [
        ("2.3.7", "good", "2.3.7 is supported."),
        ("2.2.3", "good", "2.2.3 is supported."),
        ("2.4.0-rc2", "note", "2.4.0-rc2 is newer"),
        ("3.0.0", "note", "3.0.0 is newer"),
        ("2.1.1", "bad", "2.1.1 is not supported. → Update the server to 2.3."),
        ("1.8.2", "bad", "1.8.2 is not supported."),
        ("latest", "note", "does not report it"),
        (None, "note", "does not report it"),
    ],
)
def test_versions(doctor: Callable[..., Found], version: str | None, mark: str, said: str) -> None:
    """Every answer here is the version's; the rest of them is no list, and so not understood."""
    with _scripted(reply(200, {"version": version})) as url:
        found = doctor("--url", url)
    assert found["version"][0] == mark
    assert said in found["version"][1]


def test_a_server_of_2_2(run: Run, world: World, bots: Path) -> None:
    with Sandbox(api_key=KEY, version="2.2.3") as older, World(older.url, KEY) as there:
        there.instance("loja", "main")
        found = _found(run("doctor", "--bots", bots, "--url", older.url, env={"COLUMNS": "1000"}).stdout)
    assert found["version"] == ("good", "2.2.3 is supported.")
    assert {mark for mark, _ in found.values()} == {"good", "note"}


def test_a_licence_that_is_missing_and_its_version(doctor: Callable[..., Found]) -> None:
    """`GET /` is the one thing that such a server answers."""

    async def act(request: object, writer: asyncio.StreamWriter) -> None:
        welcome = getattr(request, "target", "") == "/"
        answer = reply(200, {"version": "2.4.0"}) if welcome else reply(503, LICENCE)
        await answer(request, writer)  # type: ignore[arg-type]  # whatever was read, it is not looked at

    with _scripted(act) as url:
        found = doctor("--url", url)
    assert (found["server"][0], found["version"][0]) == ("bad", "note")
    assert "Register it" in found["server"][1]


# -- the key and the integration ---------------------------------------------------------------


def test_no_key(doctor: Callable[..., Found], world: World) -> None:
    world.instance("loja", "main")
    found = doctor(env={"EVOLUTION_API_KEY": None})
    assert [found[about][0] for about in ("server", "version", "key")] == ["good", "good", "bad"]
    assert "AUTHENTICATION_API_KEY" in found["key"][1]
    assert "integration" not in found


def test_a_wrong_key(doctor: Callable[..., Found], world: World) -> None:
    world.instance("loja", "main")
    found = doctor("--api-key", "wrong")
    assert (found["server"][0], found["key"][0]) == ("good", "bad")
    assert "refuses it (status 401)" in found["key"][1]


def test_an_instance_s_own_token(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    (bots / "outra.yaml").write_text("bots: {}\n")
    for name in ("loja", "outra"):
        body = {"instanceName": name, "integration": "EVOLUTION", "token": f"token-of-{name}"}
        world.done("POST", "/instance/create", body)
    world.creds("loja", "main")
    found = doctor("--api-key", "token-of-loja")
    assert found["key"][0] == "bad"
    assert "gives access to 1 of 2 instances" in found["key"][1]
    assert found["credentials"][0] == "good"  # of the one that it opens
    others = doctor("--api-key", "token-of-outra", "--instance", "loja")
    assert "gives access to 0 of 1 instances" in others["key"][1]


def test_openai_is_disabled(doctor: Callable[..., Found], server: Sandbox, world: World) -> None:
    world.instance("loja", "main")
    server.options.disabled = frozenset({"openai"})
    found = doctor()
    assert found["integration"][0] == "bad good"  # other kinds are on
    assert "OPENAI_ENABLED=true" in found["integration"][1]
    assert (found["key"][0], found["server"][0]) == ("good", "good")


def test_openai_is_disabled_and_nothing_declared_is_there(
    doctor: Callable[..., Found], server: Sandbox, world: World
) -> None:
    world.instance("another")
    server.options.disabled = frozenset({"openai"})
    found = doctor()
    assert (found["integration"][0], found["instances"][0]) == ("bad good", "bad")


def test_no_instance_at_all(doctor: Callable[..., Found], server: Sandbox) -> None:
    found = doctor()
    assert found["integration"][0] == "note"
    assert found["key"] == ("good", "It gives access to the server's 0 instances.")


# -- manifests, instances, credentials, bots ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "contains no manifest"),
        ("bots: [", "1 error, the first at"),
        ("bots: {um: {\x1b[31m: 1}}", "reconciler validate"),
    ],
)
def test_manifests_that_are_not_right(
    doctor: Callable[..., Found], world: World, bots: Path, text: str | None, said: str
) -> None:
    """The server is looked at all the same."""
    world.instance("loja", "main")
    (bots / "loja.yaml").unlink() if text is None else (bots / "loja.yaml").write_text(text)
    found = doctor()
    assert found["manifests"][0] == "bad"
    assert said in found["manifests"][1]
    assert [found[about][0] for about in ("server", "version", "key", "integration")] == ["good"] * 4


def test_no_manifests_at_all(run: Run, world: World) -> None:
    shown = run("doctor", env={"COLUMNS": "1000"}).stdout
    assert "✗ manifests" in shown
    assert "→ Start with: reconciler init" in shown
    assert "✓ key" in shown


def test_an_instance_that_is_missing(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    (bots / "outra.yaml").write_text("bots: {}\n")
    world.instance("lojas")
    world.instance("outra")
    found = doctor()
    assert found["instances"][0] == "bad"
    assert found["instances"][1].startswith("1 of 2 does not exist: 'loja' (did you mean 'lojas'?).")


def test_many_that_are_missing(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    for number in range(9):
        (bots / f"n{number}.yaml").write_text("bots: {}\n")
    assert "10 of 10 do not exist: 'loja', 'n0', 'n1', and 7 more." in doctor()["instances"][1]


def test_others_that_nothing_declares(doctor: Callable[..., Found], world: World) -> None:
    world.instance("loja", "main")
    world.instance("zebra")
    assert doctor()["instances"][1].endswith("The server has 1 more, which no manifest declares.")


def test_a_credential_that_is_missing(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    world.instance("loja", "mian")
    found = doctor()
    assert found["credentials"][0] == "bad"
    assert "'main' of 'loja' (did you mean 'mian'?), for 2 bots" in found["credentials"][1]


def test_a_credential_that_was_rotated(doctor: Callable[..., Found], world: World) -> None:
    world.instance("loja", "main@2")
    assert doctor()["credentials"] == ("good", "1 credential used, none missing.")


_DECLARING = """\
credentials:
  main: {apiKey: !env KEY_OF_MAIN}
  other: {apiKey: !secret-file no/such/file}
bots:
  um: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, maxTokens: 1, triggerType: none}
"""


def test_declared_credentials_and_their_keys(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    (bots / "loja.yaml").write_text(_DECLARING)
    world.instance("loja")
    found = doctor(env={"KEY_OF_MAIN": "sk-canary"})
    assert found["openai keys"][0] == "note"
    assert found["openai keys"][1].startswith("1 of 2 are available: ")
    assert "no/such/file cannot be read" in found["openai keys"][1]
    assert found["credentials"] == (
        "note",
        "2 declared credentials will be made by an apply: 'main' of 'loja', 'other' of 'loja'.",
    )
    assert "KEY_OF_MAIN is not set (credential 'main')" in doctor()["openai keys"][1]


def test_keys_that_are_at_hand(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    (bots / "loja.yaml").write_text(_DECLARING.replace("!secret-file no/such/file", "!env KEY_OF_OTHER"))
    world.instance("loja", "main", "other")
    found = doctor(env={"KEY_OF_MAIN": "sk-canary", "KEY_OF_OTHER": "sk-canary-2"})
    assert found["openai keys"] == ("good", "2 declared, all available.")
    assert found["credentials"] == ("good", "2 credentials used, none missing.")
    twice = doctor(env={"KEY_OF_MAIN": "sk-canary", "KEY_OF_OTHER": "sk-canary"})
    assert twice["openai keys"][0] == "bad"
    assert "the same key" in twice["openai keys"][1]


def test_a_borrowed_credential(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    text = (bots / "loja.yaml").read_text()
    (bots / "loja.yaml").write_text(
        text.replace("openaiCreds: main", "openaiCreds: {instance: matriz, name: main}")
    )
    world.instance("loja", "own")
    assert "'matriz'" in doctor()["instances"][1]
    world.instance("matriz", "mein")
    assert "'main' of 'matriz' (did you mean 'mein'?), for 2 bots" in doctor()["credentials"][1]
    world.creds("matriz", "main")
    assert doctor()["credentials"] == ("good", "1 credential used, none missing.")


def test_whose_the_bots_are(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    creds = world.instance("loja", "main")["main"]
    for number, description in enumerate(["[gitops:um]", "[gitops:gone]", "[other:x]~01234567", "", ""]):
        world.bot("loja", creds, maxTokens=300 + number, description=description)
    found = doctor()
    assert found["bots"] == (
        "good",
        "2 declared for the owner gitops: 1 found, 1 missing. "
        "Left alone: 1 orphaned, 2 unmarked, 1 of other owners.",
    )
    assert "2 declared for the owner other: 2 missing." in doctor("--owner", "other")["bots"][1]


def test_a_conflict(doctor: Callable[..., Found], world: World) -> None:
    creds = world.instance("loja", "main")["main"]
    for tokens in (300, 301):
        world.bot("loja", creds, maxTokens=tokens, description="[gitops:um]")
    found = doctor()
    assert found["bots"][0] == "note"
    assert "1 in conflict" in found["bots"][1]
    assert found["bots"][1].endswith("See which, and why: reconciler plan")


def test_settings_that_are_not_there_yet(doctor: Callable[..., Found], world: World) -> None:
    world.instance("loja", "main")
    assert doctor()["settings"] == (
        "note",
        "1 of 1 have none yet: 'loja'. The first bot creates them.",
    )


# -- how it is shown ---------------------------------------------------------------------------


def test_selected_instances_alone(doctor: Callable[..., Found], world: World, bots: Path) -> None:
    (bots / "outra.yaml").write_text("bots: {}\n")
    world.instance("loja", "main")
    assert doctor("--instance", "loj*")["instances"][0] == "good"


def test_the_embedded_server(doctor: Callable[..., Found]) -> None:
    found = doctor("--sandbox", env={"EVOLUTION_API_URL": None, "EVOLUTION_API_KEY": None})
    assert {mark for mark, _ in found.values()} == {"good", "note"}


def test_a_terminal_without_unicode(start: Start, world: World, bots: Path) -> None:
    world.instance("loja", "main")
    process = start("doctor", "--bots", bots, env={"PYTHONIOENCODING": "ascii", "EVOLUTION_API_KEY": "wrong"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert out.isascii()
    assert {line[0] for line in out.splitlines() if line and line[0] != " "} == {"+", "!", "x", "1"}, out
    assert "-> Set EVOLUTION_API_KEY" in out


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours(start: Start, world: World, bots: Path, env: dict[str, str], coloured: bool) -> None:
    terminal = Terminal(start, "doctor", "--bots", bots, env=env)
    assert terminal.end() == 1
    assert ("\x1b[31m✗\x1b[0m instances" in terminal.shown) == coloured
    assert ("\x1b" in terminal.shown) == coloured


def test_the_variables_that_the_manifests_need(run: Run, bots: Path, tmp_path: Path) -> None:
    """What it prints is filled in and read again: an env file, or one secret of GitHub's."""
    (bots / "loja.yaml").write_text(
        "credentials: {main: {apiKey: !env KEY_OF_MAIN}, more: {apiKey: !secret-file /run/secrets/x}}\n"
        "defaults: {triggerType: keyword, triggerOperator: equals}\n"
        "bots:\n"
        "  um:\n    {kind: dify, botType: chatBot, apiUrl: 'https://a.example/${env:PATH_OF_UM}/x',"
        " apiKey: !env KEY_OF_DIFY, triggerValue: 1}\n"
        "  dois:\n    {kind: dify, botType: chatBot, apiUrl: 'https://b.example/', apiKey: !env KEY_OF_DIFY,"
        " triggerValue: 2}\n"
    )
    env = {"PATH_OF_UM": "sk-canary-of-um-1234", "EVOLUTION_API_URL": None, "EVOLUTION_API_KEY": None}
    listed = run("doctor", "--bots", bots, "--keys", env=env)
    assert (listed.exit_code, listed.stderr) == (1, "")
    assert listed.stdout == (
        "# apiKey of um of loja, apiKey of dois of loja\nKEY_OF_DIFY=\n"
        "# the credential main of loja\nKEY_OF_MAIN=\n"
        "# apiUrl of um of loja\n# PATH_OF_UM is set here\n"
    )
    found = json.loads(run("doctor", "--bots", bots, "--keys", "--format", "json", env=env).stdout)
    assert found["missing"] == ["KEY_OF_DIFY", "KEY_OF_MAIN"]
    assert found["keys"][2] == {"name": "PATH_OF_UM", "set": True, "for": ["apiUrl of um of loja"]}
    filled = listed.stdout.replace("=\n", "=sk-canary-filled-in-1\n", 1).replace("=\n", "=sk-canary-2\n")
    again = run("doctor", "--bots", bots, "--keys", "--env-file", "-", env=env, input=filled)
    assert again.exit_code == 0
    assert "canary" not in again.output
