"""Shell completion: click's own, with the names that the manifests declare.

The server is not called. Manifests that cannot be read offer no names, and no errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from click import Command, Context, Parameter
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE = "_RECONCILER_COMPLETE"
"""The environment variable by which the scripts ask `reconciler` for completions."""

_BREAKS = "\"'@><=;|&(:"
_ESCAPED = r"\\\1"
_SPECIAL = re.compile(r"""([\s\\"'`$&|;<>(){}\[\]*?!~#^])""")


class _Bash(BashComplete):
    """Completion for bash, which ends words at some characters, such as `@`, and does not quote by itself."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        incomplete = "" if not words or re.search(r"(?<!\\)\s$", line) else words.pop()
        self._word = incomplete
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """The part after the last character that ends a word for bash; `@` and `$` belong to what follows."""
        value = str(item.value)
        begun = self._word.partition("=")[2] if self._word.startswith("--") else self._word
        breaks = set(os.environ.get("COMP_WORDBREAKS", _BREAKS)) - set(" \t\n\\")
        done = max((begun.rfind(each) + (each not in "@$") for each in breaks), default=0)
        if done > 0 and value.startswith(begun[:done]):
            value = value[done:]
        return f"{item.type},{_SPECIAL.sub(_ESCAPED, value)}"


add_completion_class(_Bash)  # replaces click's
_SHELLS: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def script(shell: str, command: Command) -> str:
    """The script that a shell runs to complete `reconciler`. shell: bash, zsh or fish."""
    return _SHELLS[shell](command, {}, "reconciler", VARIABLE).source()


# -- what is offered ---------------------------------------------------------------------------


def instances(context: Context, parameter: Parameter, incomplete: str) -> list[str]:
    """The declared instances that begin with a text."""
    return [name for name, _ in _declared(context) if name.startswith(incomplete)]


def bots(context: Context, parameter: Parameter, incomplete: str) -> list[str]:
    """The declared bots, as BOT@INSTANCE, that begin with a text."""
    return [
        found
        for name, declared in _declared(context)
        for bot in declared
        if (found := f"{bot}@{name}").startswith(incomplete)
    ]


def _declared(context: Context) -> Iterator[tuple[str, list[str]]]:
    """The instances whose names can be typed, and their bots."""
    from reconciler.cli.config import command
    from reconciler.domain.errors import ReconcilerError
    from reconciler.manifests.load import load

    directory = Path(context.params.get("bots") or "bots")
    try:
        desired = load(directory, origins=False, cached=True, servers=command.servers(context))
    except ReconcilerError:
        return
    for instance in desired.instances:
        if instance.name.isprintable():
            yield instance.name, [bot.name for bot in instance.bots]
