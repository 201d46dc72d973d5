"""What a shell offers at TAB: click's own completion, with the names that the manifests declare.

Names come from the manifests alone; the server is not asked. What cannot be read offers nothing: this is no
place for errors.
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
"""Where the scripts tell a run of `reconciler` that it is asked what to offer."""

_BREAKS = "\"'@><=;|&(:"
_ESCAPED = r"\\\1"
_SPECIAL = re.compile(r"""([\s\\"'`$&|;<>(){}\[\]*?!~#^])""")


class _Bash(BashComplete):
    """Bash takes some characters for the ends of words, `@` among them, and quotes nothing by itself."""

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
        """The part behind what bash takes for the end of a word; `@` and `$` belong to what follows them."""
        value = str(item.value)
        begun = self._word.partition("=")[2] if self._word.startswith("--") else self._word
        breaks = set(os.environ.get("COMP_WORDBREAKS", _BREAKS)) - set(" \t\n\\")
        done = max((begun.rfind(each) + (each not in "@$") for each in breaks), default=0)
        if done > 0 and value.startswith(begun[:done]):
            value = value[done:]
        return f"{item.type},{_SPECIAL.sub(_ESCAPED, value)}"


add_completion_class(_Bash)  # in the place of click's own
_SHELLS: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def script(shell: str, command: Command) -> str:
    """What a shell runs once so that it completes `reconciler`. shell: bash, zsh or fish."""
    return _SHELLS[shell](command, {}, "reconciler", VARIABLE).source()


# -- what is offered ---------------------------------------------------------------------------


def instances(context: Context, parameter: Parameter, incomplete: str) -> list[str]:
    """The declared instances that begin so."""
    return [name for name, _ in _declared(context) if name.startswith(incomplete)]


def bots(context: Context, parameter: Parameter, incomplete: str) -> list[str]:
    """BOT@INSTANCE for every declared bot that begins so."""
    return [
        found
        for name, declared in _declared(context)
        for bot in declared
        if (found := f"{bot}@{name}").startswith(incomplete)
    ]


def _declared(context: Context) -> Iterator[tuple[str, list[str]]]:
    """Instances that can be typed, and their bots."""
    from reconciler.domain.errors import ReconcilerError
    from reconciler.manifests.load import load

    try:
        desired = load(Path(context.params.get("bots") or "bots"))
    except ReconcilerError:
        return
    for instance in desired.instances:
        if instance.name.isprintable():
            yield instance.name, [bot.name for bot in instance.bots]
