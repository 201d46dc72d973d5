"""The last net: whatever ended a command, a person sees a sentence or a place, and no value."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from reconciler.cli import failure
from reconciler.domain.errors import ManifestError, Position, Problem, ReconcilerError
from tests.cli.conftest import ROOT, Run, Start, assert_clean
from tests.support import at_night

SECRET = "hunter2"
BUG = "This is a bug: please report it with the output of RECONCILER_DEBUG=1."


def _cycle() -> BaseException:
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__context__, second.__cause__ = second, first
    return first


def _itself() -> BaseException:
    error = ValueError(SECRET)
    error.__cause__ = error
    return error


def _deep() -> BaseException:
    def again(secret: str) -> None:
        again(secret)

    try:
        again(SECRET)
    except RecursionError as error:
        return error
    raise AssertionError


def _long_chain() -> BaseException:
    first = error = ValueError(SECRET)
    for _ in range(5000):
        error.__context__ = ValueError(SECRET)
        error = error.__context__
    return first


def _groups() -> BaseException:
    group: BaseException = ValueError(SECRET)
    for _ in range(5000):
        group = BaseExceptionGroup(SECRET, [group])
    return group


class _UnprintableError(ReconcilerError):
    def __str__(self) -> str:
        raise UnicodeError(SECRET)


UNEXPECTED = [
    _cycle,
    _itself,
    _deep,
    _long_chain,
    _groups,
    lambda: UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET),
    lambda: BaseExceptionGroup(SECRET, [ValueError(SECRET), SystemExit(SECRET)]),
    lambda: asyncio.CancelledError(SECRET),
]


@pytest.mark.parametrize("make", UNEXPECTED)
@pytest.mark.parametrize("debug", ["", "1"])
def test_unexpected_errors(
    make: Callable[[], BaseException],
    debug: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RECONCILER_DEBUG", debug)
    error = make()
    assert failure.tell(error, 2) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Error: unexpected {type(error).__name__}. This is a bug: please report it")
    assert SECRET not in err
    assert_clean(err)
    assert 1 <= len(err.splitlines()) <= 2 + failure.ERRORS * (failure.FRAMES + 1)
    assert (len(err.splitlines()) > 1) == bool(debug)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ReconcilerError("a\ud800\x1b[2Jb"), 1, "Error: a<U+D800>␛[2Jb\n"),
        (ReconcilerError("x\n::error::y"), 1, "Error: x\n<U+003A>:error::y\n"),
        (click.UsageError("x\n::error::##[error]\x1b"), 1, "Error: x\n<U+003A>:error::##<U+005B>error]␛\n"),
        (ReconcilerError("see https://h/a?b, https://h?c=d"), 1, "Error: see https://h/a?b, https://h?***\n"),
        (ManifestError([Problem(Position("a", 1, 2), "b.")]), 1, "a:1:2: b.\n1 error in the manifests.\n"),
        (
            ManifestError([Problem(Position(file, 1, 1), "b.") for file in "abc"]),
            1,
            "a:1:1: b.\nb:1:1: b.\nc:1:1: b.\n3 errors in the manifests.\n",
        ),
        (
            ManifestError(
                [
                    Problem(Position(file, 1, 1), text)
                    for file in ("a", "b", "c\x1b", "d", "e")
                    for text in "xy"
                ][:9]
            ),
            1,
            "a:1:1: x (also at b:1:1, c␛:1:1 and 2 other places)\n"
            "a:1:1: y (also at b:1:1, c␛:1:1 and 1 other place)\n"
            "9 errors in the manifests, 2 of them different. "
            "`reconciler validate --format json` shows every place.\n",
        ),
        (MemoryError(SECRET), 1, "Error: not enough memory.\n"),
        (_UnprintableError(), 1, f"Error: unexpected _UnprintableError. {BUG}\n"),
        (click.Abort(), 1, ""),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("x", [KeyboardInterrupt()]), 130, ""),
    ],
)
def test_sentences_and_codes(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failure.tell(error, 2) == code
    assert capsys.readouterr() == ("", said)


PROXIES = [
    "http://me:hunter2@proxy.test:port",
    "http://me:hunter2@proxy.test:99999",
    "http://me:hunter2@[::1",
    "http://me:hunter2@",
    "http://me:hun/ter2@proxy.test/hunter2",
    "socks5://me:hunter2@proxy.test",
    "hunter2 hunter2",
    "://hunter2",
]


@pytest.mark.parametrize("value", PROXIES)
@pytest.mark.parametrize("command", ["plan", "apply", "doctor", "import"])
def test_malformed_proxy(run: Run, bots: Path, command: str, value: str) -> None:
    where = "--into" if command == "import" else "--bots"
    env = {"EVOLUTION_API_URL": "https://evo.test", "HTTPS_PROXY": value, "RECONCILER_DEBUG": "1"}
    result = run(command, where, bots, env=env)
    assert result.exit_code == 1
    shown = result.stdout + result.stderr
    assert "HTTPS_PROXY" in shown
    assert "bug" not in shown
    assert SECRET not in shown


MISPLACED = {
    "an argument too many": ["plan", "{}"],
    "a command": ["{}"],
    "a command to help with": ["help", "{}"],
    "a command to configure": ["config", "{}"],
    "an option": ["plan", "--{}"],
    "a plan": ["show", "{}"],
    "a plan to apply": ["apply", "{}"],
    "a reviewed plan": ["apply", "--reviewed", "{}"],
    "manifests": ["plan", "--bots", "{}"],
    "a manifest": ["validate", "{}"],
    "a manifest to format": ["fmt", "{}"],
    "tests": ["test", "{}"],
    "a configuration": ["plan", "--config", "{}"],
    "variables": ["plan", "--env-file", "{}"],
    "an output": ["plan", "--out", "{}"],
    "a target": ["plan", "--target", "{}"],
    "an instance": ["plan", "--instance", "{}"],
    "an instance to restore": ["restore", "{}"],
    "a base": ["plan", "--base", "{}"],
    "a commit": ["plan", "--changed-since", "{}"],
    "a name of the server": ["plan", "--server-name", "{}"],
    "an owner": ["plan", "--owner", "{}"],
    "a number": ["plan", "--timeout", "{}"],
    "another number": ["plan", "--concurrency", "{}"],
    "a choice": ["plan", "--format", "{}"],
    "a policy": ["plan", "--prune", "{}"],
    "a shell": ["completion", "{}"],
    "a database": ["sandbox", "--port", "{}"],
    "a file of a database": ["sandbox", "--port", "0", "--db", "{}"],
    "a directory to make": ["init", "{}"],
    "the same with workflows": ["init", "--github", "{}"],
    "an instance to make": ["init", "--instance", "{}"],
    "a branch": ["init", "--github", "--branch", "{}"],
    "a bot to explain": ["explain", "{}"],
    "an instance of a bot": ["explain", "um@{}"],
    "a bot to get": ["get", "{}"],
    "a bot to ask": ["route", "{}", "oi"],
    "an instance to ask": ["route", "um@{}", "oi"],
    "a bot to switch off": ["disable", "{}"],
    "a bot to switch on": ["enable", "um@{}"],
    "a place to import to": ["import", "--into", "{}"],
    "manifests to look after": ["doctor", "--bots", "{}"],
}
"""Where a person could put the server's URL by mistake."""


@pytest.mark.parametrize("args", MISPLACED.values(), ids=MISPLACED)
@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@evo.test//api",
        "https://me:hunter2%40evo.test",
        "https://me:hunter2\uff20evo.test/?x=http://a",
        "https://evo.test/a?token=hunter2",
        "socks5://me:hunter2@evo.test",
        "https://me:x@hunter2@evo.test",
    ],
)
def test_a_url_in_a_wrong_place_is_not_repeated(
    run: Run, bots: Path, tmp_path: Path, args: list[str], url: str
) -> None:
    ended = run(*(arg.format(url) for arg in args), env={"RECONCILER_DEBUG": "1"})
    assert ended.exit_code == 1
    assert SECRET not in ended.output
    assert [*tmp_path.iterdir()] == [bots]


@pytest.mark.parametrize("form", ["text", "json"])
def test_doctor_repeats_no_url_of_a_path(run: Run, form: str) -> None:
    ended = run("doctor", "--bots", "https:/me:hunter2@evo.test", "--format", form)
    assert ended.exit_code == 1
    assert "[a URL, not shown] does not exist" in " ".join(ended.stdout.split())
    assert SECRET not in ended.output


@pytest.mark.parametrize("command", [["plan", "--url", "https://me:hunter2@h//api"], ["plan", "--no-such"]])
@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", ">&- 2>&-", "2>/dev/full >/dev/full"])
def test_stderr_that_cannot_be_written(bots: Path, command: list[str], redirect: str) -> None:
    line = f"{sys.executable} -m reconciler {' '.join(command)} --bots {bots} {redirect}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "EVOLUTION_API_KEY": "key"}
    ended = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=env, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


_WITHOUT_UNICODEDATA = """
import sys

class Broken:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "unicodedata":
            raise ImportError("hunter2")

sys.meta_path.insert(0, Broken)
"""


def test_broken_library_in_the_net_itself(start: Start, bots: Path, tmp_path: Path) -> None:
    """Here what shows the error cannot be imported either. Some builds of Python have it built in."""
    (tmp_path / "sitecustomize.py").write_text(_WITHOUT_UNICODEDATA)
    process = start(
        "validate", "--bots", bots, env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    )
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert SECRET not in out + err
    assert "Traceback" not in err


CONF = "openssl_conf = x\n[x]\nproviders = p\n[p]\nq = qs\n[qs]\nactivate = 1\nmodule = /nonexistent.so\n"


_VARIABLES = {
    "SSL_CERT_FILE": "missing.pem",
    "SSL_CERT_DIR": "missing",
    "SSLKEYLOGFILE": "missing/x",
    "OPENSSL_CONF": "openssl.cnf",
}


@pytest.mark.parametrize(
    ("command", "variable", "value"),
    [
        at_night(command, *case, everyday=place == other)
        for place, command in enumerate(("plan", "apply", "doctor", "import"))
        for other, case in enumerate(_VARIABLES.items())
    ],
)
def test_commands_name_the_variable(
    start: Start,
    tmp_path: Path,
    bots: Path,
    command: str,
    variable: str,
    value: str,
) -> None:
    (tmp_path / "openssl.cnf").write_text(CONF)
    where = "--into" if command == "import" else "--bots"
    env = {"EVOLUTION_API_URL": "https://127.0.0.1:9", variable: value}
    process = start(command, where, bots, env=env)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert variable in out + err
    assert value in out + err
    assert "bug" not in out + err
    assert "Traceback" not in err
