"""Several servers: one plan and one apply, and each has its own key, instances and troubles."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.servers import BOT, Fleet, fleet, key, variable
from tests.worlds.faults import answer
from tests.worlds.proxy import Proxy, Request


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path, "eu-1", "us-1") as found:
        yield found


# -- one plan and one apply --------------------------------------------------------------------


def test_one_apply_makes_the_bots_of_all_and_a_second_plan_shows_no_changes(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja", "us-1/centro")
    said = two.done("apply", "--yes")
    assert "3 changes: 3 applied." in said
    assert two.names("eu-1", "loja") == two.names("us-1", "loja") == two.names("us-1", "centro") == ["menu"]
    assert two.done("plan") == "No changes. 3 bots in sync on 3 instances.\n"


def test_an_instance_of_one_name_on_two_servers_is_two(two: Fleet) -> None:
    two.declare("eu-1/loja")
    two.declare("us-1/loja", text=BOT.replace("100", "200"))
    two.done("apply", "--yes")
    two.write("us-1/loja.yaml", BOT.replace("100", "300"))
    document = json.loads(two.done("plan", "--format", "json"))
    assert document["server"] is None
    assert document["servers"] == two.urls
    [loja_eu, loja_us] = document["instances"]
    assert (loja_eu["name"], loja_eu["server"], loja_eu["changes"]) == ("eu-1/loja", "eu-1", [])
    assert (loja_us["name"], loja_us["server"]) == ("us-1/loja", "us-1")
    [field] = loja_us["changes"][0]["fields"]
    assert (field["name"], field["before"], field["after"]) == ("maxTokens", 200, 300)


def test_the_nearest_server_counts_and_else_the_default(two: Fleet) -> None:
    two.configure(top='[servers]\ndefault = "us-1"\n')
    two.declare("eu-1/a")
    two.write("eu-1/b.yaml", f"server: us-1\n{BOT}")
    two.write("c.yaml")
    names = [one["name"] for one in json.loads(two.done("list", "--offline", "-o", "json"))["instances"]]
    assert names == ["eu-1/a", "us-1/b", "us-1/c"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (f"server: eu-2\n{BOT}", "bots/loja.yaml:1:9", "there is no server 'eu-2' (did you mean 'eu-1'?)"),
        (f"{BOT}server: [eu-1]\n", "bots/loja.yaml:5:9", "server must be a text"),
        (BOT, "bots/loja.yaml:1:1", "the manifest names no server, and reconciler.toml names eu-1 and us-1"),
    ],
    ids=["unknown", "no text", "none"],
)
def test_a_manifest_only_chooses_among_the_servers(two: Fleet, text: str, place: str, said: str) -> None:
    two.write("loja.yaml", text)
    for command in ("validate", "plan", "test"):
        result = two.run(command)
        assert result.exit_code == 1
        assert f"{place}: " in result.stderr
        assert said in result.stderr


def test_a_manifest_cannot_say_where_a_server_is(two: Fleet) -> None:
    two.write("loja.yaml", f"servers: {{eu-1: {{url: 'https://evil.example'}}}}\nserver: eu-1\n{BOT}")
    result = two.run("validate")
    assert result.exit_code == 1
    assert "'servers' is not a key of a manifest (did you mean 'server'?)" in result.stderr
    two.write("loja.yaml", f"server: https://evil.example\n{BOT}")
    assert "there is no server 'https://evil.example'" in two.run("plan").stderr


def test_server_picks_by_name(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    assert "1 to create" in two.done("plan", "--server", "us-*")
    two.done("apply", "--yes", "--server", "us-*")
    assert (two.names("eu-1", "loja"), two.names("us-1", "loja")) == ([], ["menu"])
    assert two.running["eu-1"].writes == []
    assert not any(call.path.startswith("/openai") for call in two.running["eu-1"].calls[1:])
    result = two.run("plan", "--server", "ap-*")
    assert result.exit_code == 1
    assert "no server of reconciler.toml matches 'ap-*': it names eu-1 and us-1." in result.stderr


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (["--instance", "loja"], ["eu-1/loja", "us-1/loja"]),
        (["--instance", "us-1/loja"], ["us-1/loja"]),
        (["--instance", "us-*/*"], ["us-1/centro", "us-1/loja"]),
        (["--target", "menu@loja"], ["eu-1/loja", "us-1/loja"]),
        (["--target", "menu@eu-1/loja"], ["eu-1/loja"]),
    ],
    ids=" ".join,
)
def test_instances_are_named_with_their_server_or_without(
    two: Fleet, args: list[str], wanted: list[str]
) -> None:
    two.declare("eu-1/loja", "us-1/loja", "us-1/centro")
    document = json.loads(two.done("plan", "--format", "json", *args))
    assert [one["name"] for one in document["instances"] if one["changes"]] == wanted


# -- keys --------------------------------------------------------------------------------------


class Recorder:
    """A server that answers everything with 404 and keeps the bytes that it got."""

    def __init__(self, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.heard = b""
        self._listening = listening

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.heard += connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
                )


@contextmanager
def recorder() -> Iterator[Recorder]:
    """A Recorder for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Recorder(listening)
        thread = threading.Thread(target=found.serve, daemon=True)
        thread.start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_key_goes_to_its_own_server_alone(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    with recorder() as heard:
        two.urls["us-1"] = heard.url
        two.configure()
        for command in (["plan"], ["apply", "--yes"], ["doctor"], ["list"], ["import", "--into", "new"]):
            two.run(*command)
    assert key("us-1").encode() in heard.heard
    assert key("eu-1").encode() not in heard.heard
    assert two.names("eu-1", "loja") == ["menu"]


def test_the_key_of_no_name_is_for_no_named_server(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    with recorder() as heard:
        two.urls["us-1"] = heard.url
        two.configure()
        result = two.run("plan", env={variable("us-1"): None, "EVOLUTION_API_KEY": "canary-of-no-name"})
    assert result.exit_code == 1
    assert "the key of the server us-1 is not given: set EVOLUTION_API_KEY_US_1" in result.stderr
    assert heard.heard == b""


def test_a_key_may_be_in_a_file_which_no_manifest_can_send_to_a_server(two: Fleet) -> None:
    (two.home / "eu.key").write_text(f"{key('eu-1')}\n")
    table = f'[servers.eu-1]\nurl = "{two.urls["eu-1"]}"\nkey-file = "eu.key"\n'
    (two.home / "reconciler.toml").write_text(f'{table}[servers.us-1]\nurl = "{two.urls["us-1"]}"\n')
    two.declare("eu-1/loja", "us-1/loja")
    unset = {variable("eu-1"): None}
    assert "2 to create" in two.done("plan", env=unset)
    for secret in ("!secret-file ../../eu.key", f"!env {variable('us-1')}", f"!env {variable('eu-1')}"):
        two.write("us-1/loja.yaml", f"credentials: {{main: {{apiKey: {secret}}}}}\n{BOT}")
        result = two.run("apply", "--yes", env=unset)
        assert result.exit_code == 1, secret
        assert two.running["us-1"].writes == []


def test_an_address_beside_named_servers_is_an_error(two: Fleet) -> None:
    two.declare("eu-1/loja")
    for args, env in (
        (["--url", "https://other.example"], {}),
        ([], {"EVOLUTION_API_URL": "https://other.example"}),
    ):
        result = two.run("plan", *args, env=env)
        assert result.exit_code == 1
        assert "the server is given twice" in result.stderr
    result = two.run("plan", "--no-config", "--url", two.urls["eu-1"], "--api-key", "wrong")
    assert "reconciler.toml names none" in result.stderr


# -- a server in trouble -----------------------------------------------------------------------


@contextmanager
def hanging() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class Busy:
    """Of the same requests each first, third and so on is answered with 503, and does not arrive."""

    def __init__(self) -> None:
        self.asked = Counter[tuple[str, str]]()

    def edit(self, request: Request) -> bytes:
        self.asked[request.method, request.path] += 1
        return b"" if self.asked[request.method, request.path] % 2 else request.raw

    def tell(self, request: Request, told: bytes) -> bytes:
        return told or answer(503, b"", 0)


def test_a_server_that_hangs_and_one_that_often_answers_503_hide_no_plan(tmp_path: Path) -> None:
    busy = Busy()
    with fleet(tmp_path, "good", "often", "stuck") as three, hanging() as url:
        port = urlsplit(three.urls["often"]).port or 0
        with Proxy(lambda: port, edit=busy.edit, tell=busy.tell) as proxy:
            three.declare(*(f"{server}/loja-{number}" for server in three.running for number in range(3)))
            three.urls |= {"often": proxy.url, "stuck": url}
            three.configure(stuck="timeout = 1")
            result = three.run("apply", "--yes")
        assert result.exit_code == 1
        assert "Plan: 6 to create, 0 in sync; 3 instances with a problem" in result.stdout
        assert "stuck/loja-0…2" in result.stdout
        assert "6 changes: 6 applied." in result.stdout
        assert all(number % 2 == 0 for number in busy.asked.values())
        for server in ("good", "often"):
            assert all(three.names(server, f"loja-{number}") == ["menu"] for number in range(3))
        assert three.running["stuck"].writes == []


def test_what_goes_to_a_server_that_is_down_stays_where_it_is(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/outra")
    two.done("apply", "--yes")
    (two.bots / "eu-1/loja.yaml").rename(two.bots / "us-1/loja.yaml")
    two.write("eu-1/resto.yaml")
    two.running["eu-1"].seed({"resto": {"main"}})
    with hanging() as url:
        two.urls["us-1"] = url
        two.configure(us_1="timeout = 1")
        result = two.run("plan", "--known-instance", "*")
        assert "1 bot no longer declared, kept" in result.stdout
        assert "us-1/loja declares it, and could not be read" in " ".join(result.stdout.split())
        two.run("apply", "--yes", "--prune", "always", "--known-instance", "*")
    assert two.names("eu-1", "loja") == ["menu"]


# -- moves -------------------------------------------------------------------------------------


def moved(fleet: Fleet, *names: str) -> None:
    """Moves instances from eu-1 to us-1, in the manifests and as new ones on the server."""
    for name in names:
        (fleet.bots / f"eu-1/{name}.yaml").rename(fleet.bots / f"us-1/{name}.yaml")
        fleet.running["us-1"].seed({name: {"main"}})


def creates_and_deletes(fleet: Fleet) -> dict[str, list[str]]:
    """What each server was asked to create and to delete, of bots."""
    return {
        name: [call.method for call in server.writes if "/creds/" not in call.path]
        for name, server in fleet.running.items()
    }


def forget_calls(fleet: Fleet) -> None:
    for server in fleet.running.values():
        server.calls.clear()


def test_an_instance_moves_to_another_server(two: Fleet) -> None:
    two.declare("eu-1/loja", "eu-1/centro", "us-1/norte")
    two.done("apply", "--yes")
    forget_calls(two)
    moved(two, "loja", "centro")
    document = json.loads(two.done("plan", "--format", "json", "--known-instance", "*"))
    assert (document["summary"]["move"], document["summary"]["delete"]) == (2, 0)
    said = two.done("apply", "--yes", "--prune", "always", "--known-instance", "*")
    assert "from eu-1/" in said or "2 to move" in said
    assert "4 changes: 4 applied." in said
    assert creates_and_deletes(two) == {"eu-1": ["DELETE"] * 2, "us-1": ["POST"] * 2}
    assert two.names("eu-1", "loja") == two.names("eu-1", "centro") == []
    assert two.names("us-1", "loja") == two.names("us-1", "centro") == two.names("us-1", "norte") == ["menu"]
    assert "No changes" in two.done("plan", "--known-instance", "*")


def test_a_bot_that_is_not_created_there_stays_here(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/norte")
    two.done("apply", "--yes")
    moved(two, "loja")
    two.done("plan", "--known-instance", "*", "--out", "moves.json")
    with two.world("us-1") as world:  # meanwhile somebody takes its trigger there
        [creds] = world.done("GET", "/openai/creds/loja")
        world.bot("loja", creds["id"], triggerType="keyword", triggerOperator="equals", triggerValue="menu")
    result = two.run("apply", "moves.json", "--yes")
    assert result.exit_code == 1
    assert "it was not created on us-1/loja, so it stays here" in " ".join(result.stdout.split())
    assert two.names("eu-1", "loja") == ["menu"]


def test_a_saved_and_a_reviewed_plan_move_it_too_and_are_bound_to_their_servers(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/norte")
    two.done("apply", "--yes")
    moved(two, "loja")
    two.done("plan", "--known-instance", "*", "--out", "moves.json")
    right = dict(two.urls)
    two.urls = {"eu-1": right["us-1"], "us-1": right["eu-1"]}
    two.env |= {variable("eu-1"): key("us-1"), variable("us-1"): key("eu-1")}
    two.configure()
    forget_calls(two)
    result = two.run("apply", "moves.json", "--yes")
    assert result.exit_code == 1
    assert f"the plan is for the server eu-1 at {right['eu-1']}, not at {right['us-1']}." in result.stderr
    two.urls = right
    two.env |= {variable(name): key(name) for name in right}
    two.configure()
    result = two.run("apply", "moves.json", "--yes", "--server", "us-1")
    assert "the plan is for the server eu-1 too" in result.stderr
    assert creates_and_deletes(two) == {"eu-1": [], "us-1": []}
    assert "2 changes: 2 applied." in two.done("apply", "--reviewed", "moves.json", "--yes")
    assert (two.names("eu-1", "loja"), two.names("us-1", "loja")) == ([], ["menu"])
    assert "2 changes" not in two.done("apply", "--reviewed", "moves.json", "--yes")


def test_a_plan_of_one_server_is_not_one_of_several(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    two.done("plan", "--out", "several.json")
    both = (two.home / "reconciler.toml").read_text()
    (two.home / "reconciler.toml").write_text(both.partition("[servers.us-1]")[0])
    (two.bots / "us-1/loja.yaml").unlink()
    (two.bots / "us-1/_defaults.yaml").unlink()
    two.done("plan", "--out", "one.json")
    assert "plan again with this reconciler.toml" in two.run("apply", "several.json", "--yes").stderr
    (two.home / "reconciler.toml").write_text(both)
    assert "plan again with this reconciler.toml" in two.run("apply", "one.json", "--yes").stderr
    assert two.running["eu-1"].writes == []


def test_bots_of_the_same_name_here_are_kept_where_another_server_has_the_declared_ones(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    two.done("apply", "--yes")
    (two.bots / "us-1/loja.yaml").unlink()
    said = " ".join(two.done("plan", "--prune", "always").split())
    assert "another server has an instance of this name that a manifest declares, with these bots" in said
    assert "1 to delete" in two.done(
        "plan", "--prune", "always", "--known-instance", "us-1/*", "--max-delete-share", "100"
    )


# -- what is unique is so on one server -----------------------------------------------------------


def test_a_credential_and_its_key_may_be_on_two_servers(two: Fleet) -> None:
    own = "credentials: {main: {apiKey: !env OPENAI_ONE}}\n" + BOT
    for each in ("eu-1/loja", "us-1/loja"):
        two.declare(each, text=own)
    for server in two.running.values():
        server.clear()
        server.seed({"loja": set()})
    env = {"OPENAI_ONE": f"sk-proj-{sha256(b'one').hexdigest()[:40]}"}
    assert "2 credentials to create" in two.done("plan", env=env)
    two.done("apply", "--yes", env=env)
    assert "No changes" in two.done("plan", env=env)
    two.write("us-1/outra.yaml", own)
    result = two.run("validate", env=env)
    assert "a server has each name once" in result.stderr


def test_copies_of_one_database_are_two_servers(tmp_path: Path) -> None:
    with fleet(tmp_path, "eu-1") as one:
        one.declare("eu-1/loja")
        one.urls = {**one.urls, "us-1": one.urls["eu-1"].replace("127.0.0.1", "localhost")}
        one.env[variable("us-1")] = key("eu-1")
        one.folders("us-1")
        one.write("us-1/loja.yaml")
        one.configure()
        one.done("apply", "--yes", "--server", "eu-1")
        one.done("plan", "--out", "same-ids.json")
        assert "No changes" in one.done("show", "same-ids.json")


# -- what people see -----------------------------------------------------------------------------


def test_a_comment_of_40_instances_on_three_servers_fits_a_screen(tmp_path: Path) -> None:
    with fleet(tmp_path, "eu-1", "eu-2", "us-1") as three:
        names = [
            f"{server}/loja-{number:02}" for number in range(40) for server in [[*three.running][number % 3]]
        ]
        three.declare(*names)
        three.done("apply", "--yes")
        for name in names:
            three.write(f"{name}.yaml", BOT.replace("100", "150"))
        page = three.done("plan", "--format", "markdown")
        assert len(page.splitlines()) < 40
        assert "40 to update" in page
        assert all(f"{server}/loja-" in page for server in three.running)


def test_each_command_says_the_server(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    two.done("apply", "--yes")
    assert "eu-1/loja, us-1/loja" in two.done("list")
    assert "menu@eu-1/loja" in two.done("explain", "menu@eu-1/loja")
    assert "2 servers have an instance 'loja'" in two.run("explain", "menu@loja").stderr
    assert two.done("get", "menu@us-1/loja").startswith("server: us-1\ninstance: loja\n")
    assert "names no server" in two.run("get", "menu@loja").stderr
    for live in ([], ["--live"]):
        assert "'menu' on us-1/loja" in two.done("route", "us-1/loja", "menu", *live)
    assert "eu-1/loja  menu  off" in two.done("disable", "menu@eu-1/loja")
    assert "us-1/loja  menu  on" in two.done("enable", "menu@loja", "--yes")
    found = json.loads(two.done("doctor", "-o", "json"))["findings"]
    assert {one.get("server") for one in found} == {None, "eu-1", "us-1"}
    rows = {row["key"]: row for row in json.loads(two.done("config", "-o", "json"))["settings"]}
    assert rows["servers.eu-1.url"]["value"] == two.urls["eu-1"]
    assert rows["servers.us-1.api-key"]["value"] == "set"


def test_import_writes_a_folder_for_each_server_and_update_brings_drift_back(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    two.done("apply", "--yes")
    two.done("import", "--into", "new")
    for name in two.running:
        assert f"server: {name}\n" in (two.home / f"new/{name}/loja.yaml").read_text()
    two.done("validate", "--bots", "new")
    with two.world("us-1") as world:
        [bot] = world.bots("loja")
        world.change("loja", bot, maxTokens=777)
    assert "us-1/loja" in two.done("import", "--update")
    assert "777" in (two.bots / "us-1/loja.yaml").read_text()
    assert "777" not in (two.bots / "eu-1/loja.yaml").read_text()


def test_the_embedded_server_is_one_for_each(two: Fleet) -> None:
    two.declare("eu-1/loja", "us-1/loja")
    assert "2 changes: 2 applied." in two.done("apply", "--sandbox", "--yes")
    assert "2 bots in sync on 2 instances" in two.done("plan", "--sandbox")
    assert sorted(path.name for path in (two.home / ".reconciler").glob("*.db")) == [
        "sandbox-eu-1.db",
        "sandbox-us-1.db",
    ]
    assert all(not server.calls for server in two.running.values())


# -- the configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[servers.EU]\nurl = "https://a.example"\n', "1:10: 'EU' cannot be the name of a server"),
        ('[servers.eu]\nurll = "https://a.example"\n', "2:1: unknown key 'urll' (did you mean 'url'?)"),
        (
            '[servers.eu]\nkey = "abc"\n',
            "2:1: 'key': no secret may stand in this file: set EVOLUTION_API_KEY_EU",
        ),
        ('[servers.eu]\nurl = "https://k:s@a.example"\n', "2:1: 'url' contains a name or a password"),
        ('[servers]\ndefault = "us"\n[servers.eu]\n', "2:1: there is no server 'us'"),
        (
            '[servers.a]\nurl="https://x.example"\n[servers.b]\nurl="https://x.example/"\n',
            "4:1: 'b' has the address",
        ),
        ('url = "https://a.example"\n[servers.eu]\n', "1:1: [servers] gives the addresses"),
        ("[servers.eu]\nconcurrency = 0\n", "2:1: 'concurrency' is not valid"),
        ("servers = 1\n", "1:1: 'servers' must be a table"),
    ],
    ids=["name", "key", "secret", "login", "default", "same", "both", "number", "table"],
)
def test_what_is_wrong_in_the_table_is_said_with_its_place(two: Fleet, text: str, said: str) -> None:
    (two.home / "reconciler.toml").write_text(text)
    result = two.run("plan")
    assert result.exit_code == 1
    assert f"reconciler.toml:{said}" in result.stderr


def test_one_named_server_changes_no_output(tmp_path: Path) -> None:
    with fleet(tmp_path, "only") as one:
        one.running["only"].seed({"loja": {"main"}})
        one.write("loja.yaml")
        plain = {"EVOLUTION_API_URL": one.urls["only"], "EVOLUTION_API_KEY": key("only")}
        for args in (
            *(["plan", "--format", kind] for kind in ("text", "json", "markdown")),
            ["list", "-o", "json"],
            ["list"],
            ["doctor"],
            ["validate"],
            ["explain", "menu@loja"],
        ):
            assert one.done(*args) == one.done("--no-config", *args, env=plain), args
        one.done("plan", "--out", "p.json")
        one.done("apply", "p.json", "--yes", "--no-config", env=plain)
        assert one.done("get", "menu@loja") == one.done("get", "menu@loja", "--no-config", env=plain)


def test_a_plan_that_found_nothing_to_do_is_remembered_of_all_servers(
    two: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    two.declare(*(f"{name}/loja-{number}" for name in ("eu-1", "us-1") for number in range(5)))
    two.done("apply", "--yes")
    first = two.done("plan", "--format", "json")
    [file] = (tmp_path / "cache" / "evolution-reconciler").glob("plan-*")
    for name in ("eu-1", "us-1"):
        assert key(name).encode() not in file.read_bytes()
    first_calls, calls = (two.run("plan", "--format", "json", "--verbose") for _ in range(2))
    assert first == first_calls.stdout == calls.stdout
    assert _reads(first_calls.stderr) == _reads(calls.stderr)
    before = file.read_bytes()
    with two.world("us-1") as world:
        [bot] = world.bots("loja-3")
        world.change("loja-3", bot, maxTokens=101)
    [changed] = [
        one for one in json.loads(two.done("plan", "--format", "json"))["instances"] if one["changes"]
    ]
    assert changed["name"] == "us-1/loja-3"
    assert not file.exists()
    file.write_bytes(before)
    monkeypatch.setitem(two.env, variable("us-1"), "another")
    assert two.run("plan").exit_code == 1


def _reads(log: str) -> list[str]:
    return sorted(line.rsplit(" ", 2)[0] for line in log.splitlines() if "GET /" in line)
