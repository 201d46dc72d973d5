"""Runs the peers: see the package's docstring."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.fleet import AT_A_TIME, HEAD, READS, Fleet, fleet, line, sizes
from benchmarks.measured import cost, keep
from benchmarks.server import RECORDS, bot

HERE = Path(__file__).parent
MOST_SECONDS = 60
PACKAGES = ("octodns==1.22.0", "ansible-core==2.19.14")

Command = tuple[list[str], Mapping[str, str]]
"""A command and its environment."""


def octodns(made: Fleet, programs: Path) -> Command:
    """octodns-sync, whose files are written first."""
    zones = made.root / "zones"
    zones.mkdir()
    text = "".join(
        f"{row['name']}:\n  ttl: {row['ttl']}\n  type: {row['type']}\n  values: {json.dumps(row['values'])}\n"
        for row in RECORDS
    )
    for name in made.names:
        (zones / f"{name}.example.yaml").write_text(text)
    config = made.root / "octodns.yaml"
    config.write_text(
        f"""\
manager: {{max_workers: {AT_A_TIME}}}
providers:
  files: {{class: octodns.provider.yaml.YamlProvider, directory: {zones}, default_ttl: 300}}
  server: {{class: zones.ServerProvider, url: '{made.url}'}}
zones:
"""
        + "".join(f"  {name}.example.: {{sources: [files], targets: [server]}}\n" for name in made.names)
    )
    command = [str(programs / "octodns-sync"), "--quiet", "--config-file", str(config)]
    return command, {"PYTHONPATH": str(HERE)}


def ansible(made: Fleet, programs: Path) -> Command:
    """ansible-playbook, whose playbook is written first."""
    playbook = made.root / "playbook.yaml"
    urls = [f"{made.url}/{read}/{name}" for name in made.names for read in READS]
    task = {"uri": {"url": "{{ item }}", "return_content": True}, "loop": urls}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    playbook.write_text(json.dumps([play]))
    environment = {"ANSIBLE_HOME": str(made.root / "ansible"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    interpreter = f"ansible_python_interpreter={programs / 'python'}"
    command = [str(programs / "ansible-playbook"), "-i", "localhost,", "-e", interpreter, str(playbook)]
    return command, environment


def loop(made: Fleet, _: Path) -> Command:
    """The script, with its files."""
    names, wanted = made.root / "names", made.root / "wanted"
    names.write_text("".join(f"{name}\n" for name in made.names))
    ours = {"id", "instanceId", "openaiCredsId"}
    bots = [{name: value for name, value in bot(n).items() if name not in ours} for n in range(10)]
    sort = subprocess.run(["jq", "-S", "."], input=json.dumps(bots).encode(), capture_output=True, check=True)
    wanted.write_bytes(sort.stdout)
    return ["sh", str(HERE / "loop.sh"), made.url, str(names), str(wanted)], {}


PEERS: Mapping[str, tuple[str, Callable[[Fleet, Path], Command]]] = {
    "octoDNS": ("octodns-sync", octodns),
    "Ansible": ("ansible-playbook", ansible),
    "curl and jq": ("jq", loop),
}
"""The program that each needs, and its command."""


def installed(directory: Path) -> Path:
    """Where the programs are. What is missing is said, and left out."""
    venv.create(directory, with_pip=True)
    programs = directory / "bin"
    install = [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    for package in PACKAGES:
        done = subprocess.run([*install, package], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{package} cannot be installed, so it is left out:\n{done.stderr}", file=sys.stderr)
    return programs


def main() -> None:
    """Prints and keeps the figures."""
    asked = sizes()
    with tempfile.TemporaryDirectory() as directory:
        programs = installed(Path(directory))
        print(HEAD)
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        left = {name: peer for name, (program, peer) in PEERS.items() if shutil.which(program, path=path)}
        print("".join(f"{name} is not here\n" for name in PEERS if name not in left), end="")
        for size in asked:
            with fleet(size) as made:
                floor = cost(made.curl).seconds
                for name, prepare in list(left.items()):
                    command, environment = prepare(made, programs)
                    took = cost(command, environment, made.root)
                    keep(name, size, took, floor)
                    print(line(name, size, took, floor), flush=True)
                    if took.seconds > MOST_SECONDS:
                        del left[name]


if __name__ == "__main__":
    main()
