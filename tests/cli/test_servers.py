"""Several servers: one plan and one apply, and each has its own key, instances and troubles."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.servers import BOT, Fleet, fleet, key, variable
from tests.worlds.proxy import Proxy


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
        (f"server: eu-2\n{BOT}", "bots/loja.yaml:1:1", "there is no server 'eu-2' (did you mean 'eu-1'?)"),
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


def test_a_server_that_hangs_and_one_that_often_answers_503_hide_no_plan(tmp_path: Path) -> None:
    with (
        fleet(tmp_path, "good", "often", "stuck") as three,
        Proxy(three.urls["often"]) as often,
        hanging() as url,
    ):
        three.declare(*(f"{server}/loja-{number}" for server in three.running for number in range(3)))
        often.busy = 0.5
        three.urls |= {"often": often.url, "stuck": url}
        three.configure(table="timeout = 1\n")
        result = three.run("apply", "--yes")
        assert result.exit_code == 1
        assert "Plan: 6 to create, 0 in sync; 3 instances with a problem" in result.stdout
        assert re.search(r"stuck/loja-0…stuck/loja-2|stuck/loja-0, stuck/loja-1", result.stdout)
        assert "6 changes: 6 applied." in result.stdout
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
        two.configure(table="timeout = 1\n")
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


def of_move(fleet: Fleet) -> list[tuple[str, str]]:
    """The calls that created and deleted bots, with the server, in their order."""
    calls = [
        (call.at, name, call.method)
        for name, server in fleet.running.items()
        for call in server.writes
        if call.path.startswith(("/openai/create", "/openai/delete"))
    ]
    return [(name, method) for _, name, method in sorted(calls)]
