"""Classes of `reconciler.domain.records` do what the standard library's dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from reconciler.domain import records

T = TypeVar("T")
Maker = Callable[..., Any]


def _point(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True)
    class Point:
        """A point."""

        KIND: ClassVar[str] = "point"
        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)
        seen: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

        @property
        def sum(self) -> int:
            return self.x + self.y

    return Point


def _open(made: Any, field: Any) -> Any:
    @made(slots=True)
    class Open:
        x: int
        y: int = field(default=2, repr=False)
        count: int = field(init=False, default=0)
        found: list[int] = field(init=False, default_factory=list)

    return Open


def _plain(made: Any, field: Any) -> Any:
    @made
    class Plain:
        x: int
        y: int = field(default=2)
        z: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.x += 1

    return Plain


def _frozen(made: Any, field: Any) -> Any:
    @made(frozen=True)
    class Frozen:
        x: int
        y: int = 2

        def __str__(self) -> str:
            return "frozen"

    return Frozen


def _ordered(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True, order=True)
    class Ordered:
        x: int
        y: int = field(default=2, compare=False)

    return Ordered


def _unhashed(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True)
    class Unhashed:
        x: int
        y: list[int] = field(default_factory=list, hash=False)

    return Unhashed


def _identity(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True, eq=False, repr=False)
    class Identity:
        x: int
        y: int = 2

        def __repr__(self) -> str:
            return "an identity"

    return Identity


def _inherited(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True)
    class Base:
        x: int
        y: int = 2

    @made(frozen=True, slots=True)
    class Inherited(Base):
        y: int = 3
        z: str = ""

    return Inherited


def _bare(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True)
    class Base:
        x: int
        y: int = 2

    class Bare(Base):
        __slots__ = ()

    return Bare


def _generic(made: Any, field: Any) -> Any:
    @made(frozen=True, slots=True)
    class Box(Generic[T]):
        x: T
        y: int = 2

    return Box


SHAPES = [_point, _open, _plain, _frozen, _ordered, _unhashed, _identity, _inherited, _bare, _generic]


@pytest.fixture(params=SHAPES, ids=[shape.__name__.strip("_") for shape in SHAPES])
def both(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """One class, made here and by the standard library."""
    ours = request.param(records.dataclass, records.field)
    return ours, request.param(dataclasses.dataclass, dataclasses.field)


def _outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or the kind of its error."""
    try:
        found = call()
    except Exception as error:
        return type(error)
    return {name: getattr(found, name) for name in _names(type(found))} if _names(type(found)) else found


def _names(cls: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(cls)) if dataclasses.is_dataclass(cls) else ()


_CALLS: Mapping[str, Callable[[Any], Any]] = {
    "positional": lambda cls: cls(1, 5),
    "by name": lambda cls: cls(y=5, x=1),
    "defaults": lambda cls: cls(1),
    "nothing": lambda cls: cls(),
    "too many": lambda cls: cls(1, 2, 3, 4, 5, 6),
    "unknown": lambda cls: cls(1, other=2),
    "twice": lambda cls: cls(1, x=2),
    "repr": lambda cls: repr(cls(1)),
    "str": lambda cls: str(cls(1)),
    "equal": lambda cls: cls(1, 5) == cls(1, 5),
    "unequal": lambda cls: cls(1, 5) == cls(2, 5),
    "equal but for y": lambda cls: cls(1, 5) == cls(1, 6),
    "of another class": lambda cls: cls(1) == (1, 2),
    "with another class": lambda cls: cls(1).__eq__((1, 2)),
    "same hash": lambda cls: hash(cls(1, 5)) == hash(cls(1, 5)),
    "in a set": lambda cls: len({cls(1), cls(1), cls(2)}),
    "less": lambda cls: cls(1) < cls(2),
    "not less": lambda cls: (cls(2) < cls(1), cls(1) <= cls(1), cls(1) > cls(1), cls(1) >= cls(1)),
    "less than another class": lambda cls: cls(1) < 2,
    "set": lambda cls: setattr(cls(1), "x", 2),
    "delete": lambda cls: delattr(cls(1), "x"),
    "replace": lambda cls: dataclasses.replace(cls(1), y=7),
    "replace something else": lambda cls: dataclasses.replace(cls(1), other=7),
    "copy": lambda cls: copy.copy(cls(1, 5)),
    "deep copy": lambda cls: copy.deepcopy(cls(1, 5)),
    "as a dict": lambda cls: dataclasses.asdict(cls(1, 5)),
    "fields": lambda cls: [
        (each.name, each.type, each.init, each.repr, each.compare) for each in dataclasses.fields(cls)
    ],
    "a dict of its own": lambda cls: hasattr(cls(1), "__dict__"),
    "match": lambda cls: cls.__match_args__,
    "name": lambda cls: (cls.__name__, cls.__qualname__, cls.__module__, cls.__init__.__qualname__),
    "class attribute": lambda cls: getattr(cls, "KIND", None),
    "its own list": lambda cls: cls(1).__getstate__() == cls(1).__getstate__(),
}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS)
def test_a_class_does_what_the_standard_librarys_does(
    both: tuple[Any, Any], call: Callable[[Any], Any]
) -> None:
    ours, theirs = both

    assert _outcome(lambda: call(ours)) == _outcome(lambda: call(theirs))


def test_replace_keeps_what_is_not_given(both: tuple[Any, Any]) -> None:
    ours, theirs = both

    assert _outcome(lambda: records.replace(ours(1), x=4)) == _outcome(
        lambda: dataclasses.replace(theirs(1), x=4)
    )
    assert _outcome(lambda: records.replace(ours(1), other=4)) is TypeError


def test_a_field_that_is_not_given_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match=r"count .* init=False"):
        records.replace(_open(records.dataclass, records.field)(1), count=3)


def _set_other(cls: Any) -> None:
    cls(1).other = 2


def test_a_frozen_object_gets_no_other_attribute(both: tuple[Any, Any]) -> None:
    """Where it has slots, the standard library's says TypeError, by a mistake of its own."""
    ours, theirs = both
    found, wanted = (_outcome(partial(_set_other, cls)) for cls in (ours, theirs))

    assert found == (dataclasses.FrozenInstanceError if wanted is TypeError else wanted)


def test_each_object_has_a_list_of_its_own() -> None:
    point = _point(records.dataclass, records.field)

    assert point(1).tags is not point(1).tags


@records.dataclass(frozen=True, slots=True)
class Pickled:
    """One that pickle finds by its name."""

    x: int
    y: tuple[int, ...] = ()
    of: Pickled | None = None


def test_an_object_is_pickled() -> None:
    one = Pickled(1, (2,), Pickled(3))

    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  our own


def test_an_object_that_holds_itself_has_a_repr() -> None:
    @records.dataclass
    class Node:
        next: Any = None

    node = Node()
    node.next = node

    assert repr(node).endswith("Node(next=...)")


def test_a_match_statement_takes_an_object_apart() -> None:
    match Pickled(1, (2,)):
        case Pickled(x, (y,)):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("no match")
