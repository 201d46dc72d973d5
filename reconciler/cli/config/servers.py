"""The table [servers] of a configuration file: the servers by name, with everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from reconciler.cli.config.keys import Setting
from reconciler.cli.config.values import SECRET, Unfit, fit
from reconciler.domain.servers import NAME, ServerSettings
from reconciler.domain.text import listed, near, quoted

TABLE = "servers"
DEFAULT = "default"
"""The key of [servers] beside the tables of the servers."""

KEY_FILE = "key-file"
_OPTIONS = ("url", "concurrency", "timeout", "max-rate", "allow-http")
_KEYS = (*_OPTIONS, KEY_FILE)
_KEY_FILE = click.Option([f"--{KEY_FILE}"], type=click.Path())

Report = Callable[..., None]
"""Takes a sentence about a key, and the keys that lead to it."""


def read(
    table: object, shared: Mapping[str, Setting], directory: Path, report: Report
) -> tuple[tuple[ServerSettings, ...], str]:
    """The servers, and the name of the default one, "" for none.

    shared: the options that several commands have. directory: what paths are relative to.
    """
    if not isinstance(table, dict):
        report(f"{quoted(TABLE)} must be a table: write [{TABLE}.NAME]", TABLE)
        return (), ""
    found = []
    for name, values in table.items():
        if name == DEFAULT:
            continue
        if not NAME.fullmatch(name):
            report(
                f"{quoted(name)} cannot be the name of a server: use 1 to 32 of a to z, 0 to 9 and -, and "
                "begin with a letter or a digit",
                *(TABLE, name),
            )
        elif not isinstance(values, dict):
            report(f"{quoted(name)} must be a table: write [{TABLE}.{name}]", TABLE, name)
        else:
            found.append(_server(name, values, shared, directory, report))
    _check_urls(found, report)
    return tuple(found), _default(table, [one.name for one in found], report)


def _default(table: Mapping[str, object], names: list[str], report: Report) -> str:
    default = table.get(DEFAULT, "")
    if default in names or not (default or DEFAULT in table):
        return str(default)
    if isinstance(default, dict):
        report(f"no server can be called {quoted(DEFAULT)}: give it another name", TABLE, DEFAULT)
    else:
        known = f": write {listed(map(quoted, names), 'or')}" if names else ""
        said = quoted(str(default))
        report(f"there is no server {said}{near(str(default), names)}{known}", TABLE, DEFAULT)
    return ""


def _server(
    name: str,
    table: Mapping[str, object],
    shared: Mapping[str, Setting],
    directory: Path,
    report: Report,
) -> ServerSettings:
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in _KEYS:
            report(_unknown(name, key), TABLE, name, key)
            continue
        option = _KEY_FILE if key == KEY_FILE else shared[key].option
        try:
            values[key.replace("-", "_")] = fit(option, value, directory)
        except Unfit as error:
            report(f"{quoted(key)} {error}", TABLE, name, key)
    return ServerSettings(name, **values)  # type: ignore[arg-type]  # fit has checked them


def _unknown(name: str, key: str) -> str:
    if SECRET.search(key):
        variable = ServerSettings(name).key_variable
        return (
            f"{quoted(key)}: no secret may stand in this file: set {variable}, or name a file that has the "
            f"key with {KEY_FILE}"
        )
    return f"unknown key {quoted(key)}{near(key, _KEYS)} in [{TABLE}.{name}]"


def _check_urls(servers: list[ServerSettings], report: Report) -> None:
    first: dict[str, str] = {}
    for one in servers:
        url = one.url.strip().rstrip("/").casefold()
        if url and (other := first.setdefault(url, one.name)) != one.name:
            report(f"{quoted(one.name)} has the address of {quoted(other)}", TABLE, one.name, "url")
