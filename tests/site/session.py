"""Runs the commands of a page in the order in which they stand, in one directory; compares what they show.

`python -m tests.site.session PAGE...` writes into the pages what the commands show now. In a page:

    ```console                A line after a `$` is run by bash. What follows is what it shows, errors too; a
                              line `…` is any lines. Who fails has `|| echo "exit code $?"` behind it.
    <!-- run: NAME -->        Above a block of sh: it is run too. The page does not say what it shows.
    <!-- write: FILE -->      Above a block: FILE gets its content.
    <!-- session: sample -->  The page begins in a copy of the repository's sample, and is tested;
    <!-- session: empty -->   or in an empty directory.

The address https://evolution.example.com stands for an embedded server with the two shops of `_furnish`. A
virtual environment is made by a stand-in, as installing needs the network: `.ci/run` does that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.sandbox import Sandbox
from tests.support import World

ROOT = Path(__file__).parents[2]
ADDRESS = "https://evolution.example.com"
_PIECE = re.compile(
    r"(?:^<!-- (?P<what>run|write): (?P<name>\S+) -->\n)?"
    r"^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
_END = "=== ended with"

_RECONCILER = f"""\
#!/bin/sh
if [ "$EVOLUTION_API_URL" = {ADDRESS} ]; then
  export EVOLUTION_API_URL="$SESSION_URL" EVOLUTION_API_KEY=session
fi
exec "{sys.executable}" -m reconciler "$@"
"""

_PYTHON = """\
#!/bin/sh
mkdir -p "$3/bin" && ln -s "$(command -v reconciler)" "$3/bin/reconciler" && ln -s /bin/true "$3/bin/pip"
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and what the page says that it shows; None where it says nothing of that."""

    text: str
    shown: str | None


def commands(page: str) -> Iterator[Command]:
    """The commands of a page, in order."""
    for piece in _PIECE.finditer(page):
        if piece["what"] == "write":
            yield Command(f"mkdir -p \"$(dirname '{piece['name']}')\"", "")
            yield Command(f"cat > '{piece['name']}' <<'=== END'\n{piece['text']}=== END", "")
        elif piece["what"] == "run" and piece["name"] != "tests":
            yield Command(piece["text"].rstrip("\n"), None)
        elif piece["language"] == "console":
            yield from _console(piece["text"])


def run(page: str) -> list[str]:
    """What each command of a page shows. Raises AssertionError where one fails."""
    texts = [command.text for command in commands(page)]
    ends = f"status=$?; echo '{_END}' $status; [ $status = 0 ] || exit 0"
    script = "".join(f"{{ {text}\n}} 2>&1; {ends}\n" for text in texts)
    with tempfile.TemporaryDirectory() as scratch, Sandbox(api_key="session") as server:
        with World(server.url, server.api_key) as world:
            _furnish(world)
        here = Path(scratch, "here")
        if "<!-- session: sample -->" in page:
            shutil.copytree(ROOT / "bots", here / "bots")
        here.mkdir(exist_ok=True)
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=here,
            env=_environment(Path(scratch), server.url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stderr == ""
        *shown, rest = re.split(
            rf"^{_END} (\d+)\n", ended.stdout.replace(server.url, ADDRESS), flags=re.MULTILINE
        )
    assert rest == ""
    for text, output, status in zip(texts, shown[::2], shown[1::2], strict=False):
        assert status == "0", f"{text}\n{output}exit code {status}"
    return shown[::2]


def holds(said: str, shown: str) -> bool:
    """Whether a command shows what a page says: a line of … is any lines, and a … in a line any text."""
    lines = said.splitlines(keepends=True)
    pattern = [r"(?:.*\n)*?" if line == "…\n" else re.escape(line).replace("…", ".*?") for line in lines]
    return bool(re.fullmatch("".join(pattern), shown))


def renewed(page: str) -> str:
    """The page with what its commands show now. What was said with … and still holds stays."""
    outputs = zip(list(commands(page)), run(page), strict=True)

    def block(piece: re.Match[str]) -> str:
        if piece["what"] == "write":
            next(outputs), next(outputs)
        elif piece["what"] == "run" and piece["name"] != "tests":
            next(outputs)
        elif piece["language"] == "console":
            text = ""
            for _ in _console(piece["text"]):
                command, shown = next(outputs)
                lines = command.text.replace("\n", "\n> ")
                text += f"$ {lines}\n{command.shown if holds(command.shown or '', shown) else shown}"
            return piece[0].replace(piece["text"], text)
        return piece[0]

    return _PIECE.sub(block, page)


def _console(text: str) -> Iterator[Command]:
    """The commands of a block: a line after `$`, and the lines after `>` that continue it."""
    parts = re.split(r"^\$ (.*\n(?:> .*\n)*)", text, flags=re.MULTILINE)
    assert parts[0] == "", "a block begins with a command"
    for line, shown in zip(parts[1::2], parts[2::2], strict=True):
        yield Command(line.rstrip("\n").replace("\n> ", "\n"), shown)


def _environment(scratch: Path, url: str) -> dict[str, str]:
    """What the commands see: no settings and no keys of this machine."""
    bin = scratch / "bin"
    bin.mkdir()
    for name, text in (("reconciler", _RECONCILER), ("python3", _PYTHON)):
        (bin / name).write_text(text)
        (bin / name).chmod(0o755)
    people = {f"GIT_{who}_{what}": "Ana" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        "PATH": os.pathsep.join([str(bin), os.environ["PATH"]]),
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "SESSION_URL": url,
        **{name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ},
        **people,
    }


def _furnish(world: World) -> None:
    """Two shops, made by hand in the manager."""
    for shop in ("loja-centro", "loja-norte"):
        creds = world.instance(shop, f"{shop}-openai")[f"{shop}-openai"]
        for order, (description, prompt) in enumerate(
            [("Front desk", "Você atende a loja."), ("Orders", "Você cuida dos pedidos.")], start=1
        ):
            world.bot(
                shop,
                creds,
                description=description,
                maxTokens=200 + 100 * order,
                systemMessages=[prompt],
                triggerType="keyword",
                triggerOperator="equals",
                triggerValue=str(order),
            )


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
