"""Draws docs/review.svg: what a reviewer sees of a change to the sample, rendered from a real plan.

`python docs/picture.py` writes it, and the tests check that it is still true. The plan is made by the
stages themselves, of the sample as it is and of the sample with the edits below; only GitHub's look of it
is ours. Nothing here is used by the tool.
"""

from __future__ import annotations

import contextlib
import html
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options as Cmark

from reconciler.domain.desired import Desired, Fields
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import NEW_CREDENTIAL, Call, InstancePlan, Plan
from reconciler.manifests import secrets
from reconciler.manifests.load import load
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.render import markdown

HERE = Path(__file__).parent
BOTS = HERE.parent / "bots"
PICTURE = HERE / "review.svg"
WIDTH, HEIGHT = 860, 960

EDITS = {
    "prompts/pedidos.md": ("Ajude-o a montar o pedido", "Ajude-o com simpatia a montar o pedido"),
    "loja-shopping.yaml": ("triggerValue: 2", "triggerValue: 3"),
}
"""What the pull request changes: a file below bots/, a text in it, and what stands there then."""

STYLE = """
* { box-sizing: border-box } body, div { margin: 0 }
.c { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; color: #1f2328;
  background: #fff; border: 1px solid #d1d9e0; border-radius: 6px; padding: 16px; height: 100% }
table { border-collapse: collapse; margin: 0 0 16px } th, td { border: 1px solid #d1d9e0; padding: 6px 13px }
tr:nth-child(2n) { background: #f6f8fa } p { margin: 0 0 16px } details { margin: 0 0 12px }
summary { margin: 0 0 8px } h1, h2, h3, h4 { font-size: 15px; margin: 0 0 8px }
code, pre { font: 12px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
code { background: #eff1f3; border-radius: 6px; padding: 2px 5px } pre code { padding: 0; background: none }
pre { background: #f6f8fa; border-radius: 6px; padding: 12px; margin: 0 0 12px; white-space: pre-wrap }
blockquote { border-left: 4px solid #9a6700; margin: 0 0 16px; padding: 0 14px; color: #59636e }
i.a { background: #dafbe1; color: #116329; display: block; font-style: normal }
i.r { background: #ffebe9; color: #82071e; display: block; font-style: normal }
"""


def applied(bots: Path) -> Observed:
    """The server after an apply of these manifests."""
    desired = _filled(bots)
    none = {path: RemoteSettings(False, {}) for path in KINDS}
    empty = {
        instance.name: ObservedInstance(instance.name, credentials={}, settings=none)
        for instance in desired.instances
    }
    plan = make(desired, Observed("https://evolution.example.com", empty), Options())
    return Observed(plan.server, {instance.name: _after(instance) for instance in plan.instances})


def _after(plan: InstancePlan) -> ObservedInstance:
    """An instance that was empty, after its plan; ids are the names."""
    calls = {call: [step for step in plan.steps if step.call is call] for call in Call}
    return ObservedInstance(
        plan.name,
        bots=tuple(
            RemoteBot(f"id-{plan.name}-{step.bot}", _known(step.body), kind=step.kind)
            for step in calls[Call.CREATE]
        ),
        credentials={
            str(step.body["name"]): RemoteCredential(str(step.body["name"]), same=True)
            for step in calls[Call.NEW_CREDENTIAL]
        },
        settings={path: RemoteSettings(False, {}) for path in KINDS}
        | {step.kind.path: RemoteSettings(True, _known(step.body)) for step in calls[Call.SETTINGS]},
    )


def _known(body: Fields) -> Fields:
    return {
        name: value.removeprefix(NEW_CREDENTIAL) if name == "openaiCredsId" else value  # type: ignore[union-attr]  # a text
        for name, value in body.items()
    }


def _filled(bots: Path) -> Desired:
    """The manifests, with a made-up value for each secret."""
    return secrets.filled(load(bots), secrets.placeholders(b""))


def reviewed() -> Plan:
    """The plan of the edited sample against a server that has the sample, where somebody edited a bot."""
    there = applied(BOTS)
    suporte = there.instances["suporte"]
    bots = tuple(
        replace(bot, fields={**bot.fields, "keywordFinish": "tchau"}) if bot.id.endswith("-suporte") else bot
        for bot in suporte.bots
    )
    there = Observed(there.server, {**there.instances, "suporte": replace(suporte, bots=bots)})
    with tempfile.TemporaryDirectory() as directory:
        edited = Path(directory, "bots")
        shutil.copytree(BOTS, edited)
        for name, (before, after) in EDITS.items():
            text = (edited / name).read_text(encoding="utf-8")
            if before not in text:
                raise SystemExit(f"the sample's {name} no longer says {before!r}: choose another edit")
            (edited / name).write_text(text.replace(before, after), encoding="utf-8")
        with contextlib.chdir(directory):
            return make(_filled(Path("bots")), there, Options())


def draw(plan: Plan) -> str:
    """The plan's comment as an SVG; diffs are coloured and blocks unfolded, as GitHub and a reader do it."""
    page = cmarkgfm.github_flavored_markdown_to_html(markdown.plan(plan), Cmark.CMARK_OPT_UNSAFE)
    page = page.replace("[!WARNING]", "<b>Warning</b>").replace("<details>", '<details open="open">')
    page = page.replace("<br>", "<br/>").replace("<hr>", "<hr/>")
    lines = []
    inside = False
    for line in page.split("\n"):
        inside = inside or 'lang="diff"' in line
        bare = html.unescape(line.rpartition("<code>")[2])
        mark = {"+": "a", "-": "r"}.get(bare[:1]) if inside else None
        head, code, rest = line.rpartition("<code>")
        lines.append(f'{head}{code}<i class="{mark}">{rest}</i>' if mark else line + "\n")
        inside = inside and "</pre>" not in line
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">\n'
        f'<foreignObject width="{WIDTH}" height="{HEIGHT}">\n'
        '<div xmlns="http://www.w3.org/1999/xhtml" class="c">\n'
        f"<style>{html.escape(STYLE, quote=False)}</style>\n{''.join(lines)}</div>\n"
        "</foreignObject>\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(reviewed()), encoding="utf-8")
