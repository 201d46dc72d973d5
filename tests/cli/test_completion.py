"""TAB: what each shell is told by the protocol, and what a real bash makes of it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.commands import main
from tests.cli.conftest import ROOT

_SHOP = """\
instance: loja
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword}
bots:
  um: {maxTokens: 100, triggerOperator: equals, triggerValue: 1}
  dois: {maxTokens: 200, triggerOperator: equals, triggerValue: 2}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose bots/ has the instances `loja` and `loja do centro, 2`, and another directory."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "bots/loja.yaml": _SHOP,
        "bots/centro.yaml": "instance: 'loja do centro, 2'\nbots: {}\n",
        "bots/odd.yaml": 'instance: "loja\\e[31m"\nbots: {}\n',  # which nobody could type
        "more/zebra.yaml": "bots: {}\n",
        "broken/loja.yaml": "bots: [",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _asked(shell: str, line: str) -> list[str]:
    """What a shell is told for a line with the cursor at its end."""
    words = line.split(" ")
    env = {
        "bash": {"COMP_LINE": line},
        "zsh": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "fish": {"COMP_WORDS": line, "COMP_CWORD": words[-1]},
    }[shell]
    env["_RECONCILER_COMPLETE"] = f"{shell}_complete"
    ended = CliRunner().invoke(main, [], prog_name="reconciler", env=env)
    assert (ended.exit_code, ended.stderr) == (0, "")
    return [told for told in ended.stdout.splitlines() if told]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("reconciler val", ["validate"]),
        ("reconciler completion ", ["bash", "zsh", "fish"]),
        ("reconciler plan --inst", ["--instance"]),
        ("reconciler plan --instance ", [r"loja", r"loja\ do\ centro,\ 2"]),
        ("reconciler plan --instance lojas", []),
        ("reconciler plan --instance=lo", [r"loja", r"loja\ do\ centro,\ 2"]),
        ("reconciler plan --bots more --instance ", ["zebra"]),
        ("reconciler plan --bots broken --instance ", []),
        ("reconciler plan --bots nowhere --instance ", []),
        ("reconciler doctor --instance z --bots more --instance ", ["zebra"]),
        ("reconciler explain u", ["um@loja"]),
        ("reconciler explain um@l", ["@loja"]),  # where bash takes the word to begin
        (r"reconciler plan --instance loja\ d", [r"loja\ do\ centro,\ 2"]),
    ],
)
def test_bash_is_told(shop: Path, line: str, offered: list[str]) -> None:
    assert [each.partition(",")[2] for each in _asked("bash", line)] == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_others_are_told(shop: Path, shell: str) -> None:
    told = "\n".join(_asked(shell, "reconciler plan --instance l"))
    assert "loja do centro, 2" in told
    assert "zebra" not in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(shell: str) -> None:
    ended = CliRunner().invoke(main, ["completion", shell])
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert f"_RECONCILER_COMPLETE={shell}_complete" in ended.stdout
    if interpreter := shutil.which(shell):
        subprocess.run([interpreter, "-n"], input=ended.stdout, text=True, check=True)


def test_no_other_shell() -> None:
    ended = CliRunner().invoke(main, ["completion", "tcsh"])
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ended.stderr


class _Bash:
    """An interactive bash with the completion, in a directory, at the other end of a terminal."""

    def __init__(self, directory: Path) -> None:
        self.shown = ""
        self._ours, theirs = pty.openpty()
        program = directory / "bin" / "reconciler"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nfrom reconciler.cli.commands import main\nmain()\n")
        program.chmod(0o755)
        start = directory / "start"
        start.write_text("PS1=$\\ \nbind 'set enable-bracketed-paste off'\nbind 'set bell-style none'\n")
        env = {
            "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "HOME": str(directory),
            "HISTFILE": "",
        }
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--rcfile", str(start), "-i"],
            cwd=directory,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: str, until: str) -> str:
        """Types keys; what is shown from then on, until a text is among it."""
        self.shown = ""
        os.write(self._ours, keys.encode())
        end = time.monotonic() + 30
        while until not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self._ours], [], [], 1)[0]:
                self.shown += os.read(self._ours, 65536).decode()
        return self.shown

    def end(self) -> None:
        os.close(self._ours)
        self.process.kill()
        self.process.wait(timeout=30)


def test_tab_in_a_real_bash(shop: Path) -> None:
    bash = _Bash(shop)
    try:
        bash.type('source <(reconciler completion bash); echo rea"dy"\r', until="ready\r\n")
        # What TAB makes of the line is seen where echo shows the words that bash has got.
        for line, words in {
            "reconciler exp\t": "reconciler,explain,",
            "reconciler explain u\t": "reconciler,explain,um@loja,",
            "reconciler explain um@l\t": "reconciler,explain,um@loja,",
            "reconciler plan --instance loja\\ d\t": "reconciler,plan,--instance,loja do centro, 2,",
            "reconciler plan --bots more --instance=z\t": "reconciler,plan,--bots,more,--instance=zebra,",
        }.items():
            # Ctrl-A: to the beginning of the line, once it is completed.
            bash.type(line + "\x01printf '%s,' \x05; echo do\"ne\"\r", until="done\r\n")
            assert words + "done" in bash.shown, bash.shown
    finally:
        bash.end()


def test_a_tab_is_fast(shop: Path) -> None:
    """No more is imported for it than for reading manifests: nothing that speaks with a server."""
    code = (
        "import os, sys\n"
        "from reconciler.cli.commands import main\n"
        "os.environ['_RECONCILER_COMPLETE'] = 'bash_complete'\n"
        "os.environ['COMP_LINE'] = 'reconciler plan --instance '\n"
        "try: main([], prog_name='reconciler')\n"
        "finally: print(*sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    *offered, modules = shown.stdout.splitlines()
    assert offered == ["plain,loja", r"plain,loja\ do\ centro,\ 2"]
    assert {"httpx", "aiohttp", "asyncio", "deepdiff", "uvicorn"}.isdisjoint(modules.split())
