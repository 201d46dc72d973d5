"""Mutation testing: the code is changed in one small place at a time, and a test must notice.

    CI=true python -m benchmarks.mutants [--sample SHARE [--seed N]] [--results DIR] MODULE... -- ARGUMENTS

MODULE is a file below reconciler/, ARGUMENTS are those of pytest. The tests are collected once. First they
run on functions that note every statement they pass. Then each mutant gets a process of its own, forked after
the collection, in which the code of one function is exchanged. It runs the tests that pass the changed
statement: those that caught a mutant of that function before, then the fastest, until one fails.

What became of each mutant is a line of DIR/results.jsonl, so that nothing is lost when a run ends early. The
same command goes on where it ended, and gives survivors the tests that they have not met.

A mutant: a comparison, an operator or a condition turned round; an operand, a statement, an item or a default
left out; a constant or a member of an enum made another; a result made None. Left alone: docstrings,
annotations, imports, texts with a space (what is said to a person), the fields of classes, regular
expressions, and how long a wait is.

Mutants that change nothing that a test can see are listed in EQUIVALENT, each with the reason, and not run.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import copy
import gc
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from reconciler.domain.plan import Call, Of, Verb
from reconciler.domain.results import Outcome
from reconciler.plan import matching

MEMORY = 4 << 30
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
"""A line for each such mutant, as it is called in the results, and below it the reason, indented."""

Change = Callable[[], None]

_TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OTHER_CALL = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list", "reversed": "list"}
_OTHER_METHOD = {"startswith": "endswith", "endswith": "startswith"}
_WITHOUT = {"strip", "rstrip", "lstrip", "lower"}
_ENUMS: dict[str, type[Enum]] = {
    "Outcome": Outcome,
    "Verb": Verb,
    "Call": Call,
    "Of": Of,
    "How": matching.How,
}


@dataclass(frozen=True)
class Mutant:
    """One change. kind: what it is in: "function", "default" of a parameter, or "constant" of the module.

    where: the function or the constant. line: of the statement around it.
    """

    path: str
    kind: str
    where: str
    line: int
    said: str
    change: Change

    @property
    def id(self) -> str:
        """What it is called in the results, wherever it stands in its file."""
        return f"{self.path} {self.where}: {self.said}"

    def chance(self, seed: int) -> int:
        """Orders mutants by chance, and by nothing but their own text: a sample stays when others change."""
        return int(hashlib.sha256(f"{seed} {self.id}".encode()).hexdigest()[:8], 16)


# -- which there are --------------------------------------------------------------------------


def _put(node: ast.AST, by: ast.AST) -> Change:
    """Another node in a node's place."""

    def change() -> None:
        new = ast.copy_location(copy.deepcopy(by), node)
        node.__class__ = new.__class__
        node.__dict__.clear()
        node.__dict__.update(new.__dict__)

    return change


def _set(node: ast.AST, name: str, value: object) -> Change:
    return lambda: setattr(node, name, value)


def _drop(node: ast.AST, at: int, *names: str) -> Change:
    def change() -> None:
        for name in names:
            del getattr(node, name)[at]

    return change


def _swap(node: ast.Dict, at: int) -> Change:
    def change() -> None:
        node.keys.insert(at - 1, node.keys.pop(at))
        node.values.insert(at - 1, node.values.pop(at))

    return change


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.expr]]:
    match node.value:
        case bool(value):
            other: object = not value
        case int(value) | float(value):
            other = value + 1
        case str(value) if " " not in value.strip():
            other = value + "X"
        case _:
            return
    yield f"{node.value!r} → {other!r}", ast.Constant(other)  # type: ignore[arg-type]  # of the same types


def _of_call(node: ast.Call) -> Iterator[tuple[str, Change]]:
    match node.func:
        case ast.Name(id=name):
            if other := _OTHER_CALL.get(name):
                keywords = [] if other == "list" else node.keywords
                yield (
                    f"{name} → {other}",
                    _put(node, ast.Call(ast.Name(other, ast.Load()), node.args, keywords)),
                )
            if name == "suppress":
                for at, each in enumerate(node.args):
                    yield f"suppress without {ast.unparse(each)}", _drop(node, at, "args")
            if name in ("sorted", "min", "max"):
                for at, keyword in enumerate(node.keywords):
                    yield f"{name} without {keyword.arg}", _drop(node, at, "keywords")
        case ast.Attribute(attr=attr, value=value):
            if other := _OTHER_METHOD.get(attr):
                yield f".{attr} → .{other}", _set(node.func, "attr", other)
            if attr in _WITHOUT and not node.args:
                yield f"without .{attr}()", _put(node, value)
            if attr == "get" and len(node.args) == 2:
                yield "get without a default", _drop(node, 1, "args")


def _of_operators(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                for other in _TURNED[type(op)]:
                    ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
                    where = f" at {at}" if at else ""
                    yield f"{type(op).__name__} → {other.__name__}{where}", _set(node, "ops", ops)
        case ast.BoolOp():
            turned = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"{type(node.op).__name__} → {type(turned).__name__}", _set(node, "op", turned)
            for at, value in enumerate(node.values):
                rest = [*node.values[:at], *node.values[at + 1 :]]
                new = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                yield f"without operand {ast.unparse(value)[:60]}", _put(node, new)
        case ast.UnaryOp(op=ast.Not()):
            yield "without not", _put(node, node.operand)
        case ast.BinOp():
            yield "only the left", _put(node, node.left)
            yield "only the right", _put(node, node.right)
            plain = any(isinstance(side, (ast.Constant, ast.Call)) for side in (node.left, node.right))
            if plain and isinstance(node.op, (ast.Add, ast.Sub)):
                sign = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
                yield f"{type(node.op).__name__} → {type(sign).__name__}", _set(node, "op", sign)


def _of_values(node: ast.AST) -> Iterator[tuple[str, Change]]:  # noqa: PLR0912  a table of kinds of nodes
    match node:
        case ast.Constant():
            for said, constant in _constants(node):
                yield said, _put(node, constant)
        case ast.JoinedStr():
            if " " not in "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant)):
                yield f"{ast.unparse(node)} → ''", _put(node, ast.Constant(""))
        case ast.Attribute(value=ast.Name(id=name), attr=member) if member in getattr(
            _ENUMS.get(name), "__members__", ()
        ):
            names = list(_ENUMS[name].__members__)
            yield (
                f"another than {member}",
                _set(node, "attr", names[(names.index(member) + 1) % len(names)]),
            )
        case ast.Dict():
            for at, key in enumerate(node.keys):
                said = ast.unparse(key) if key else f"**{ast.unparse(node.values[at])[:40]}"
                yield f"dict without {said}", _drop(node, at, "keys", "values")
                if at and (key is None or node.keys[at - 1] is None):
                    yield f"dict with {said} earlier", _swap(node, at)
        case ast.Set(elts=items) | ast.List(elts=items, ctx=ast.Load()):
            if len(items) > 1 or isinstance(node, ast.List):
                for at, item in enumerate(items):
                    yield f"display without {ast.unparse(item)[:40]}", _drop(node, at, "elts")
        case ast.Slice():
            if node.lower is not None:
                yield "slice from the beginning", _set(node, "lower", None)
            if node.upper is not None:
                yield "slice to the end", _set(node, "upper", None)


def _of_conditions(node: ast.AST) -> Iterator[tuple[str, Change]]:
    tests: list[ast.expr] = []
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        tests = [node.test]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
        for at, test in enumerate(node.ifs):
            yield f"without if {ast.unparse(test)[:60]}", _drop(node, at, "ifs")
    for test in tests:
        if not isinstance(test, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            negated = ast.UnaryOp(ast.Not(), copy.deepcopy(test))
            yield f"not {ast.unparse(test)[:60]}", _put(test, negated)


def _of_statement(node: ast.AST) -> Iterator[tuple[str, Change]]:
    nothing = ast.Pass()
    match node:
        case ast.Expr() | ast.Delete() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield f"without {ast.unparse(node)[:60]}", _put(node, nothing)
        case ast.Raise():
            yield "without raise", _put(node, nothing)
        case ast.AugAssign():
            yield f"without {ast.unparse(node)[:60]}", _put(node, nothing)
            yield "assigned, not added", _put(node, ast.Assign([node.target], node.value))
        case ast.Return(value=None):
            yield "without return", _put(node, nothing)
        case ast.Return(value=ast.Constant(value=None)):
            return
        case ast.Return():
            yield "return None", _set(node, "value", ast.Constant(None))
        case ast.Continue():
            yield "continue → break", _put(node, ast.Break())
        case ast.Break():
            yield "break → continue", _put(node, ast.Continue())
        case ast.ExceptHandler(type=ast.Tuple() as types):
            for at, each in enumerate(types.elts):
                yield f"except without {ast.unparse(each)}", _drop(types, at, "elts")


class _Finder:
    """The mutants of one module, in the order of its text."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path, self.tree = path, tree
        self.found: list[Mutant] = []

    def find(self) -> list[Mutant]:
        self._body(self.tree.body, "")
        there: Counter[str] = Counter()
        for at, mutant in enumerate(self.found):
            there[mutant.id] += 1
            if there[mutant.id] > 1:
                self.found[at] = replace(mutant, said=f"{mutant.said} #{there[mutant.id]}")
        return self.found

    def _body(self, body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            match node:
                case ast.ClassDef():
                    self._body(node.body, f"{prefix}{node.name}.")
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    where = f"{prefix}{node.name}"
                    self._defaults(node, where)
                    for each in node.body:
                        self._walk(each, "function", where, each.lineno)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if not prefix:
                    text = ast.unparse(value)
                    typing = name == "__all__" or isinstance(value, ast.Subscript) or "TypeVar(" in text
                    if not typing and "re.compile(" not in text:
                        self._walk(value, "constant", name, node.lineno)

    def _defaults(self, node: ast.FunctionDef | ast.AsyncFunctionDef, where: str) -> None:
        for at, default in enumerate([*node.args.defaults, *node.args.kw_defaults]):
            if isinstance(default, ast.Constant):
                for said, new in _constants(default):
                    what = f"default {at} {said}"
                    self.found.append(
                        Mutant(self.path, "default", where, node.lineno, what, _put(default, new))
                    )

    def _walk(self, node: ast.AST, kind: str, where: str, line: int) -> None:  # noqa: PLR0912
        if isinstance(node, ast.stmt):
            line = node.lineno
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for each in node.body:
                    self._walk(each, kind, where, each.lineno)
                return
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                return
            case ast.Expr() | ast.Await() if ast.unparse(node).startswith("await asyncio.sleep("):
                return
        shown = ast.unparse(node).split("\n")[0][:90]
        for find in (_of_statement, _of_operators, _of_values, _of_conditions):
            for said, change in find(node):
                self.found.append(Mutant(self.path, kind, where, line, f"{said} in `{shown}`", change))
        if isinstance(node, ast.Call):
            for said, change in _of_call(node):
                self.found.append(Mutant(self.path, kind, where, line, f"{said} in `{shown}`", change))
        if isinstance(node, ast.JoinedStr):
            return
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "ctx", "op"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        self._walk(child, kind, where, line)


# -- how they come into the running code ------------------------------------------------------


def _module(path: str) -> ModuleType:
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))


def _function(space: object, where: str) -> FunctionType:
    """A function by its qualified name, without what is wrapped around it."""
    found: Any = space
    for name in where.split("."):
        found = vars(found)[name]
    while not isinstance(found, FunctionType):
        found = next(
            f for n in ("fget", "__wrapped__", "__func__") if (f := getattr(found, n, None)) is not None
        )
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _compiled(tree: ast.Module, path: str) -> CodeType:
    return compile(ast.fix_missing_locations(tree), path, "exec")


def _exchange(path: str, tree: ast.Module, functions: Iterable[str]) -> None:
    """Give functions the code that the tree has for them."""
    codes = {code.co_qualname: code for code in _codes(_compiled(tree, path))}
    for where in functions:
        _function(_module(path), where).__code__ = codes[where]


def _install(mutant: Mutant, tree: ast.Module) -> None:
    mutant.change()
    module = _module(mutant.path)
    if mutant.kind == "function":
        _exchange(mutant.path, tree, [mutant.where])
        return
    made = ModuleType(module.__name__)
    made.__dict__.update(vars(module))
    if mutant.kind == "default":
        exec(_compiled(tree, mutant.path), made.__dict__)  # noqa: S102
        new, own = _function(made, mutant.where), _function(module, mutant.where)
        own.__defaults__, own.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
        return
    [statement] = [node for node in tree.body if node.lineno == mutant.line]
    exec(_compiled(ast.Module([statement], []), mutant.path), made.__dict__)  # noqa: S102
    old = vars(module)[mutant.where]
    for each in list(sys.modules.values()):
        if each.__name__.startswith("reconciler") and vars(each).get(mutant.where) is old:
            setattr(each, mutant.where, vars(made)[mutant.where])


class _Noting(ast.NodeTransformer):
    """Every statement of a function notes its line."""

    def __init__(self, path: str) -> None:
        self.path = path

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if not isinstance(node, (ast.Module, ast.ClassDef)):
            for name in ("body", "orelse", "finalbody"):
                body = getattr(node, name, None)
                if isinstance(body, list):
                    setattr(node, name, [new for each in body for new in (self._note(each), each)])
        return node

    def _note(self, statement: ast.stmt) -> ast.stmt:
        note = ast.parse(f"__noted__({f'{self.path}:{statement.lineno}'!r})").body[0]
        return ast.copy_location(note, statement)


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}{node.name}"


# -- the run ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passed:
    """What a test does without a mutant: its seconds, the statements that it passes, whether it fails."""

    seconds: float
    places: frozenset[str]
    failed: bool


@dataclass
class Runner:
    """A pytest plugin that runs the collected tests on mutants."""

    options: argparse.Namespace
    killers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of pytest's own loop."""
        self.session, self.items = session, {item.nodeid: item for item in session.items}
        for item in session.items:
            _plain(item, self.options.examples)
        self.trees = {path: ast.parse(Path(path).read_text("utf-8")) for path in self.options.modules}
        self.passed = self._passed()
        mutants = [
            mutant
            for path, tree in self.trees.items()
            for mutant in _Finder(path, tree).find()
            if mutant.chance(self.options.seed) < self.options.sample * 16**8
        ]
        ended = self._ended()
        equivalent = _equivalent()
        todo = [m for m in mutants if m.id not in equivalent]
        todo = [m for m in todo if ended.get(m.id, {"end": "survived"})["end"] == "survived"]
        seed, (number, of) = self.options.seed, self.options.share
        todo.sort(
            key=lambda mutant: (mutant.id in ended, mutant.chance(seed))
        )  # what was never run comes first
        gc.freeze()
        for mutant in todo:
            if mutant.chance(seed) % of == number - 1:
                self._run(mutant, ended.get(mutant.id, {}).get("ran", []))
        self._report(mutants)
        return True

    def _ended(self) -> dict[str, dict[str, Any]]:
        """What became of each mutant so far, by its id."""
        file = self.options.results / "results.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return {row["id"]: row for row in map(json.loads, lines)}

    def _report(self, mutants: list[Mutant]) -> None:
        ended = self._ended() | {id: {"end": "equivalent"} for id in _equivalent()}
        by: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            by[mutant.path].append(mutant)
        for path, own in by.items():
            ends = Counter(ended.get(mutant.id, {"end": "not run"})["end"] for mutant in own)
            print(f"{path}: {len(own)} mutants, {', '.join(f'{n} {end}' for end, n in ends.most_common())}")
            for mutant in sorted(own, key=lambda mutant: mutant.line):
                if ended.get(mutant.id, {"end": ""})["end"] == "survived":
                    print(f"  {mutant.line} {mutant.where}: {mutant.said}")
        every = Counter(ended.get(mutant.id, {"end": "not run"})["end"] for mutant in mutants)
        print(f"all: {len(mutants)} mutants, {', '.join(f'{n} {end}' for end, n in every.most_common())}")
        caught = every["killed"] + every["timeout"] + every["broken"]
        if judged := caught + every["survived"]:
            print(f"caught, of those that are not equivalent: {100 * caught / judged:.1f} %")

    # -- which tests pass where ---------------------------------------------------------------

    def _passed(self) -> dict[str, Passed]:
        key = hashlib.sha256("".join(map(ast.unparse, self.trees.values())).encode()).hexdigest()[:12]
        file = self.options.results / f"passed-{key}.jsonl"
        known = self._noted(file)
        missing = [item for id, item in self.items.items() if id not in known]
        if missing:
            if not (child := os.fork()):
                self._note(missing, file)
            os.waitpid(child, 0)
            known = self._noted(file)
        return known

    def _noted(self, file: Path) -> dict[str, Passed]:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return {
            id: Passed(seconds, frozenset(places), failed)
            for id, seconds, places, failed in map(json.loads, lines)
        }

    def _note(self, items: list[pytest.Item], file: Path) -> None:
        noted: set[str] = set()
        builtins.__noted__ = noted.add  # type: ignore[attr-defined]
        for path in self.trees:
            tree = ast.parse(Path(path).read_text("utf-8"))
            names = list(_functions(tree.body))
            _exchange(path, _Noting(path).visit(tree), names)
        with file.open("a", encoding="utf-8") as stream:
            for item, after in zip(items, [*items[1:], None], strict=True):
                noted.clear()
                begun, failed = time.perf_counter(), self.session.testsfailed
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                seconds = round(time.perf_counter() - begun, 3)
                row = [item.nodeid, seconds, sorted(noted), self.session.testsfailed > failed]
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                self.session.shouldfail = self.session.shouldstop = False
        os._exit(0)

    # -- one mutant ---------------------------------------------------------------------------

    def _tests(self, mutant: Mutant, but: list[str]) -> list[str]:
        """The tests that it meets, best first; those that fail without it notice nothing."""
        place = f"{mutant.path}:{mutant.line}"
        killers = self.killers[f"{mutant.path} {mutant.where}"]
        tests = [
            id
            for id, passed in self.passed.items()
            if id in self.items
            and not passed.failed
            and id not in but
            and (
                place in passed.places
                if mutant.kind == "function"
                else any(each.startswith(f"{mutant.path}:") for each in passed.places)
            )
        ]
        return sorted(tests, key=lambda id: (-killers[id], self.passed[id].seconds))

    def _run(self, mutant: Mutant, before: list[str]) -> None:
        tests = self._tests(mutant, before)
        chosen: list[str] = []
        total = 0.0
        for id in tests:
            total += self.passed[id].seconds
            if total <= self.options.longest or not chosen:
                chosen.append(id)
        if before and not chosen:
            return
        reader, writer = os.pipe()
        if not (child := os.fork()):
            self._in_child(mutant, chosen, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as stream:
            last = stream.read().rpartition("\n")[0].rpartition("\n")[2]
        _, status = os.waitpid(child, 0)
        end = {0: "survived", 1: "killed", -signal.SIGALRM: "timeout"}.get(
            os.waitstatus_to_exitcode(status), "broken"
        )
        if end == "killed":
            self.killers[f"{mutant.path} {mutant.where}"][last] += 1
        row = {
            "id": mutant.id,
            "end": end,
            "by": "" if end == "survived" else last,
            "ran": [*before, *chosen] if end == "survived" else [],
            "left": len(tests) - len(chosen),
        }
        with (self.options.results / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _in_child(self, mutant: Mutant, tests: list[str], writer: int) -> None:
        """Exits with 0 if all tests pass, with 1 if one fails; the last name that is written is its."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            _install(mutant, self.trees[mutant.path])
            items = [self.items[id] for id in tests]
            for item, after in zip(items, [*items[1:], None], strict=False):
                os.write(writer, f"{item.nodeid}\n".encode())
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, 10 + 20 * self.passed[item.nodeid].seconds)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                if self.session.testsfailed:
                    os._exit(1)
            os._exit(0)
        finally:
            os._exit(3)


def _plain(item: pytest.Item, examples: int | None) -> None:
    """Hypothesis without its deadline, which a busy machine breaks, and without shrinking."""
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415  pytest wants to import it first

    function: Any = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    if (own := getattr(function, "_hypothesis_internal_use_settings", None)) is not None:
        function._hypothesis_internal_use_settings = settings(
            own,
            max_examples=min(own.max_examples, examples or own.max_examples),
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )


def _equivalent() -> set[str]:
    lines = EQUIVALENT.read_text("utf-8").splitlines() if EQUIVALENT.exists() else []
    return {line for line in lines if line and not line.startswith((" ", "#"))}


def _share(text: str) -> tuple[int, int]:
    first, _, of = text.partition("/")
    return int(first), int(of)


def main() -> int:
    """Run the mutants of some modules."""
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(
        description="Mutation testing; what follows -- are arguments for pytest."
    )
    parser.add_argument("modules", nargs="+", help="files below reconciler/")
    parser.add_argument("--results", type=Path, default=Path("mutants"), help="where they are kept")
    parser.add_argument(
        "--sample", type=float, default=1.0, help="the share of the mutants that is run, by chance: 0.25"
    )
    parser.add_argument("--seed", type=int, default=12, help="of the sample: another seed, another sample")
    parser.add_argument("--share", type=_share, default=(1, 1), help="1/2 and 2/2: one of two processes")
    parser.add_argument(
        "--longest", type=float, default=60.0, help="seconds of tests for one mutant, at most"
    )
    parser.add_argument("--examples", type=int, help="examples of hypothesis, at most")
    options = parser.parse_args(sys.argv[1:at])
    options.results.mkdir(parents=True, exist_ok=True)
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *sys.argv[at + 1 :]]
    return int(pytest.main(arguments, plugins=[Runner(options)]))


if __name__ == "__main__":
    sys.exit(main())
