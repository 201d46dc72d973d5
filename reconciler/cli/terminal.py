"""What a person sees and is asked. Output goes to stdout; questions, progress and errors go to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from reconciler.cli import failure
from reconciler.cli.options import is_quiet
from reconciler.domain import safe
from reconciler.domain.errors import ManifestError, OutputError, Problem, ReconcilerError
from reconciler.domain.text import count

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.domain.desired import Desired
    from reconciler.domain.findings import Finding, Warning
    from reconciler.domain.listing import Listing
    from reconciler.domain.plan import Plan
    from reconciler.domain.reports import ImportReport, SwitchReport, UpdateReport
    from reconciler.domain.results import Results
    from reconciler.manifests.formatting import Formatted
    from reconciler.render.needed import Needed
    from reconciler.render.routing import Routed
    from reconciler.render.values import Paint
    from reconciler.routing.testing import Tested
    from reconciler.routing.values import Message
    from reconciler.saved import Saved, Shard
    from reconciler.setup.init import Forge, Scaffold


def valid(desired: Desired, names: Collection[str] | None = None) -> None:
    """Say that the manifests, or the files of these names, are valid."""
    if names is not None:
        click.echo(f"Valid: {count(len(names), 'file')}.")
        return
    bots = sum(len(instance.bots) for instance in desired.instances)
    click.echo(f"Valid: {count(bots, 'bot')} on {count(len(desired.instances), 'instance')}.")


def invalid(error: ManifestError, format: str, names: Collection[str] | None = None) -> int:
    """Print the errors of the manifests, or of the files of these names. Returns the exit code.

    Raises ManifestError to print them for people.
    """
    from reconciler.render import github

    found = [one for one in error.problems if names is None or one.at.file in names]
    if found and format == "text":
        raise ManifestError(found)
    if format == "github":
        click.echo(github.problems(found), nl=False)
    elif format != "text":
        click.echo(_findings(found, (), format), nl=False)
    if not found:
        others = count(len(error.problems), "error")
        click.echo(
            f"No errors here. Other manifests have {others}: correct them to see warnings.",
            err=True,
        )
    return 1 if found else 0


def warnings(found: Sequence[Warning], format: str) -> None:
    """Print the warnings about the manifests."""
    if not found and format in {"text", "github"}:
        return
    from reconciler.render import warnings

    if format in {"json", "sarif"}:
        click.echo(_findings((), found, format), nl=False)
    elif format == "github":
        from reconciler.render import github

        click.echo(github.warnings(found), nl=False)
        click.echo(f"{warnings.counted(found)} in the manifests.", err=True)
    else:
        click.echo(warnings.text(found), err=True, nl=False)


def _findings(problems: Sequence[Problem], found: Sequence[Warning], format: str) -> str:
    """Everything, as JSON or as SARIF."""
    from reconciler.render import warnings

    if format == "json":
        return warnings.json(problems, found)
    from reconciler import __version__
    from reconciler.lint.rules import RULES

    titles = {rule.id: rule.title for rule in RULES}
    return warnings.sarif(problems, found, titles, __version__)


def plan(
    made: Plan,
    format: str,
    *,
    max_chars: int | None = None,
    more: str = "",
    asks: bool = False,
    shard: Shard | None = None,
) -> None:
    """Show a plan. max_chars, more: see render.markdown. asks: whether `agree` follows. shard: its own."""
    if format == "json":
        from reconciler.saved import encode

        click.echo(encode.plan(made, shard=shard), nl=False)
    elif format == "markdown":
        from reconciler.render import markdown

        click.echo(markdown.plan(made, max_chars=max_chars or markdown.COMMENT, more=more), nl=False)
    else:
        from reconciler.render import text

        shown = text.plan(made, paint=_paint(), width=_width(), dangers=not asks)
        click.echo(shown, nl=False, color=_color())


def results(
    made: Plan,
    ended: Results,
    format: str,
    *,
    max_chars: int | None = None,
    more: str = "",
    shard: Shard | None = None,
) -> None:
    """Show how an apply ended."""
    from reconciler.render import markdown, outcomes
    from reconciler.saved import encode

    if format == "json":
        click.echo(encode.results(made, ended, shard=shard), nl=False)
    elif format == "markdown":
        click.echo(
            markdown.results(made, ended, max_chars=max_chars or markdown.COMMENT, more=more), nl=False
        )
    elif ended.results:
        shown = outcomes.results(ended, paint=_paint(), width=_width())
        click.echo("\n" + shown, nl=False, color=_color())
    problems(made)


def ended(
    made: Plan, how: Results, format: str, save: Callable[..., None], *, shard: Shard | None = None
) -> int:
    """Save and show how an apply ended. Returns the exit code.

    If one fails, still does the other; where stdout cannot be written, shows it on stderr.
    """
    from reconciler.render import outcomes

    failures: list[Exception] = []
    try:
        save(made, how, shard=shard)
    except Exception as error:
        failures.append(error)
    try:
        results(made, how, format, shard=shard)
    except Exception as error:
        gone = isinstance(error, BrokenPipeError)  # which is no bug, and here it matters
        failures.append(OutputError("cannot write the output: Broken pipe.") if gone else error)
        click.echo(outcomes.results(how), nl=False, err=True)
    for each in failures:
        failure.tell(each)
    return exit_code(made, how) or int(bool(failures))


def exit_code(made: Plan, how: Results) -> int:
    """How a command ends that made a plan's calls."""
    if how.signal is not None:
        return 128 + how.signal
    return 0 if how.ok and not made.problems else 1


def warn(sentence: str) -> None:
    """Show a warning."""
    click.echo(f"Warning: {safe.line(sentence)}", err=True)


def problems(made: Plan) -> None:
    """Say how many problems the plan has, which may have gone to a file."""
    if made.problems:
        click.echo(f"Error: {count(made.problems, 'problem')}; see the plan.", err=True)


def saved(found: Saved, format: str, *, max_chars: int | None = None, more: str = "") -> None:
    """Show a saved plan or saved results, and where the file comes from."""
    if found.results is None:
        plan(found.plan, format, max_chars=max_chars, more=more, shard=found.shard)
    else:
        results(found.plan, found.results, format, max_chars=max_chars, more=more, shard=found.shard)
    if format == "text":
        click.echo(f"\n{safe.inert(safe.line(_origin(found)))}")


def _origin(found: Saved) -> str:
    """Where a saved file says it comes from."""
    from reconciler import saved

    saved_at = f"Saved {found.created} by version {found.tool}, for" if found.created else "For"
    commit = f", at commit {found.commit}" if found.commit else ""
    signed = ""
    if found.signed:
        signed = (
            f" Signed with the key in {saved.KEY}."
            if saved.key()
            else " Signed; not verified without the key."
        )
    shard = "" if found.shard is None else f" Of the shard {found.shard.shard} alone."
    return f"{saved_at} {found.plan.where}{commit}.{shard}{signed}"


def formatted(one: Formatted, *, diff: bool) -> None:
    """Print the name of a file that changes, or its changes."""
    from reconciler.render import unified

    name = str(one.path)
    shown = unified.diff(name, one.before.decode(), one.after.decode()) if diff else [safe.line(name)]
    for line in shown:
        click.echo(safe.inert(line))


def explained(desired: Desired, bot: str, format: str) -> None:
    """Show where a bot's values come from; on a terminal in its width."""
    from reconciler.render import explain

    if format == "json":
        click.echo(explain.json(desired, bot), nl=False)
        return
    width = _columns() if sys.stdout.isatty() else None
    click.echo(explain.explain(desired, bot, width), nl=False)


def routed(routed: Routed, messages: Sequence[Message], format: str, *, many: bool) -> None:
    """Print who answers each message; of many, a table."""
    from reconciler.render import routing

    render = routing.json if format == "json" else routing.table if many else routing.text
    click.echo(render(routed, messages), nl=False)


def tested(found: Sequence[Tested], format: str, *, covers: bool) -> None:
    """Print how the tests of manifests ended, and with covers what they reach."""
    from reconciler.render import coverage, github, tested

    if format == "github":
        click.echo(github.problems(tested.problems(found), "Test"), nl=False)
        click.echo(tested.ending(found))
    elif format == "json":
        click.echo(tested.json(found, covers=covers), nl=False)
    else:
        click.echo((tested.junit if format == "junit" else tested.text)(found), nl=False)
    if covers and format != "json":
        click.echo(coverage.text(found), nl=False, err=format == "junit")


def routed_line(routed: Routed, message: Message) -> None:
    """Print who answers a message, as a line of JSON."""
    from reconciler.render import routing

    click.echo(routing.json_line(routed, message))


def imported(report: ImportReport, format: str) -> None:
    """Print what an import wrote and, to stderr, what it left out."""
    from reconciler.render import imported

    if format == "json":
        click.echo(imported.json(report), nl=False)
        return
    if report.failed or not is_quiet():
        click.echo(imported.notes(report), err=True, nl=False)
    click.echo(imported.text(report), nl=False)


def updated(report: UpdateReport, format: str) -> None:
    """Print what an update of manifests changed and, to stderr, what it did not."""
    from reconciler.render import updated

    if format == "json":
        click.echo(updated.json(report), nl=False)
        return
    if report.failed or not is_quiet():
        click.echo(updated.notes(report), err=True, nl=False)
    click.echo(updated.text(report), nl=False)


def agree(made: Plan, format: str) -> None:
    """Ask whether to apply. Raises ReconcilerError when the answer is no or nobody can be asked."""
    from textwrap import wrap

    from reconciler.render import effects, text

    if format != "text":
        raise ReconcilerError(f"nothing was applied: pass --yes to apply changes with --format {format}.")
    width = _width()
    asked = "\n".join(wrap(effects.question(made), width - len(" [y/N]: "), break_long_words=False))
    if sys.stdin.isatty() and sys.stderr.isatty():
        for line in ["", *text.ending(made, width)]:
            click.echo(safe.inert(line), err=True)
    _ask(asked, "nothing was applied", "apply changes")


def agree_to_switch(dry: SwitchReport, server: str) -> None:
    """Ask whether to switch these bots. Raises ReconcilerError as `agree` does."""
    bots = [one for one in dry.bots if not one.note]
    if not bots:
        return
    instances = count(len({one.instance for one in bots}), "instance")
    way = "on" if dry.on else "off"
    where = f"on {instances} of {safe.inert(safe.line(server))}"
    _ask(f"Switch {way} {count(len(bots), 'bot')} {where}?", "nothing was switched", "switch bots")


def _ask(question: str, not_done: str, task: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ReconcilerError(f"{not_done}: pass --yes to {task} without a terminal.")
    if not click.confirm(safe.inert(question), err=True):
        raise ReconcilerError(f"{not_done}.")


def switched(report: SwitchReport) -> None:
    """Show how a `disable` or an `enable` ended; what could not be switched goes to stderr."""
    from reconciler.render import switched

    click.echo(switched.text(report, paint=_paint()), nl=False, color=_color())
    for problem in report.problems:
        click.echo(f"Error: {safe.inert(safe.line(problem))}", err=True)


@contextmanager
def progress(made: Plan) -> Iterator[Callable[[object], None]]:
    """A progress bar that moves with each result, on a terminal only."""
    length = sum(change.verb.writes for change in made.changes())
    hidden = is_quiet() or not (length and sys.stderr.isatty())
    with click.progressbar(length=length, label="Applying", file=sys.stderr, hidden=hidden) as bar:
        yield lambda result: bar.update(1)


def listed(listing: Listing, format: str) -> None:
    """Show which bots there are."""
    from reconciler.render import listing as render

    if format == "json":
        click.echo(render.json(listing), nl=False)
    else:
        click.echo(render.text(listing, paint=_paint(), width=_width()), nl=False, color=_color())
    if listing.problems:
        said = f"Error: {count(listing.problems, 'instance')} could not be read; see the list."
        click.echo(said, err=True)


def got(text: str) -> None:
    """Print a bot."""
    click.echo(safe.inert(text), nl=False)


def doctor(found: Sequence[Finding], format: str) -> None:
    """Show what doctor found."""
    from reconciler.render import findings

    if format == "json":
        click.echo(findings.json(found), nl=False)
        return
    width = _columns() if sys.stdout.isatty() else 100
    shown = findings.text(found, paint=_paint(), ascii=not _shows("✓✗→"), width=width)
    click.echo(shown, nl=False, color=_color())


def needed(names: Needed, format: str) -> None:
    """Show the variables that the manifests name."""
    from reconciler.render import needed

    click.echo(needed.json(names) if format == "json" else needed.text(names), nl=False)


def scaffolded(done: Scaffold, *, runs: bool) -> None:
    """Print what init wrote and did not change, and the next steps. runs: do those for GitHub."""
    from reconciler.setup import gh

    for name in done.written:
        click.echo(f"+ {safe.inert(safe.line(name))}")
    for name in done.kept:
        click.echo(f"= {safe.inert(safe.line(name))} (exists, not changed)")
    manifest = safe.line(done.sample or "bots")
    steps = [
        f"Edit {manifest}. To try it on the embedded server: reconciler apply --sandbox --yes",
        f"Set {gh.few(done.secrets)}, then run: reconciler doctor",
        "See the changes, then apply them: reconciler plan, reconciler apply",
    ]
    forge = done.forge
    if forge is None:
        steps.append("To review changes on GitHub or GitLab: reconciler init --github, or --gitlab")
    elif forge.name == "gitlab":
        steps.append("Set up GitLab: README.md says how.")
    else:
        steps.append("Name your people in .github/CODEOWNERS, commit, and push to GitHub.")
        steps.append("Set up the repository there: reconciler init --github --run, or the commands below.")
    if forge is not None:
        _for_forge(forge, done.directory.resolve())
    where = f", in {safe.inert(safe.line(str(done.directory)))}" if str(done.directory) != "." else ""
    if not runs:
        click.echo(f"\nNext{where}:")
        for number, step in enumerate(steps, 1):
            click.echo(f"{number}. {step}")
    if forge is not None and forge.name == "github":
        _on_github(forge, done.secrets, runs=runs)


def _on_github(forge: Forge, secrets: Sequence[str], *, runs: bool) -> None:
    """Print the commands that set up the repository on GitHub, and maybe run them."""
    from reconciler.setup import gh

    click.echo()
    if runs:
        gh.run(
            forge.top,
            forge.branch,
            secrets,
            lambda said: click.echo(f"    {safe.inert(safe.line(said))}"),
        )
        click.echo("\nDone. Start the first apply: gh workflow run apply.yml -f apply-unreviewed=true")
        return
    for step in gh.steps(forge.branch, secrets):
        click.echo(f"    {step}")
    click.echo("\nREADME.md says what differs in a private repository on GitHub Free, Pro or Team.")


def _for_forge(forge: Forge, root: Path) -> None:
    """Print for which branch the workflows are, where they are, and what they install."""
    title, its = {"github": ("GitHub", "workflows"), "gitlab": ("GitLab", "the pipeline")}[forge.name]
    branch = f"the branch {forge.branch}" if forge.name == "github" else "the default branch"
    click.echo(f"\nThe files for {title} are for {branch}.")
    if forge.top != root:
        top = safe.inert(safe.line(str(forge.top)))
        click.echo(f"They are in {top}: {title} reads {its} only at the top of a repository.")
    if forge.other:
        click.echo(f"Warning: {safe.line(forge.other)}", err=True)
    else:
        click.echo(f"They install the wheel with the sha256 {forge.sha256}.")


def _shows(signs: str) -> bool:
    """Whether stdout can encode them."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _width() -> int:
    """The columns of the terminal; of other outputs as many as read well."""
    return _columns() if sys.stdout.isatty() else 120


def _columns() -> int:
    """The width of the terminal."""
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _color() -> bool:
    """Whether to print colours."""
    if click.get_current_context().color is False or os.environ.get("NO_COLOR"):
        return False
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, look: str | None) -> str:
    """The text in a colour, or bold, for a terminal."""
    if look is None:
        return text
    return click.style(text, bold=True) if look == "bold" else click.style(text, fg=look)


def _paint() -> Paint:
    from reconciler.render import values

    return paint if _color() else values.plain
