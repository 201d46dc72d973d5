"""`dataclass`, `field` and `replace` of the standard library, for classes that are imported at every start.

The standard library compiles up to six functions for each class, which takes a third of a millisecond, and a
plan imports 110 of them. Here one is compiled, the constructor, and all classes share the others. A type
checker takes them for the standard library's, and `dataclasses.fields`, `asdict` and `replace` know such a
class. Left out: InitVar, KW_ONLY, kw_only, metadata, unsafe_hash, weakref_slot, and that a subclass of a
frozen class may set attributes of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "replace"]

_MISSING: Any = object()
_FIELDS = "__records__"


class _Field:
    """What `field` was told."""

    __slots__ = ("compare", "default", "default_factory", "hash", "init", "repr")

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,
        hash: bool | None = None,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.hash = compare if hash is None else hash

    def standard(self) -> Any:
        """The same of the standard library."""
        import dataclasses  # noqa: PLC0415  only for who asks

        given = {
            name: value
            for name in ("default", "default_factory")
            if (value := getattr(self, name)) is not _MISSING
        }
        return dataclasses.field(
            init=self.init, repr=self.repr, hash=self.hash, compare=self.compare, **given
        )


class _Standard:
    """Makes `__dataclass_fields__` when somebody asks for it."""

    def __get__(self, instance: Any, cls: Any) -> Mapping[str, Any]:
        import dataclasses  # noqa: PLC0415  only for who asks

        fields: Mapping[str, _Field] = getattr(cls, _FIELDS)
        types: dict[str, Any] = {}
        for base in reversed(cls.__mro__[:-1]):
            types |= base.__annotations__
        made: Any = dataclasses.make_dataclass(
            cls.__name__, [(name, types[name], each.standard()) for name, each in fields.items()]
        )
        found: Mapping[str, Any] = made.__dataclass_fields__
        cls.__dataclass_fields__ = found
        return found


# -- what all classes share -------------------------------------------------------------------------


def _set(self: Any, name: str, value: Any) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  only for a fault

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  only for a fault

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def _restore(self: Any, state: Iterable[Any]) -> None:
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (name for name, each in getattr(self, _FIELDS).items() if each.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _getter(names: list[str]) -> Callable[[Any], Any]:
    """Gets these values of an object: what it is compared by."""
    return operator.attrgetter(*names) if names else lambda self: ()


def _comparison(
    same: Callable[[Any, Any], bool], compared: Callable[[Any], Any]
) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if other.__class__ is self.__class__:
            return same(compared(self), compared(other))
        return NotImplemented

    return compare


# -- a class -----------------------------------------------------------------------------------------


def _dataclass(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    order: bool = False,
    repr: bool = True,
) -> Any:
    def made(cls: Any) -> Any:
        inherited: Mapping[str, _Field] = getattr(cls, _FIELDS, {})
        own = _own(cls)
        fields = {**inherited, **own}
        added: dict[str, Any] = {
            _FIELDS: fields,
            "__dataclass_fields__": _Standard(),
            "__replace__": _replace,
            "__match_args__": tuple(name for name, each in fields.items() if each.init),
        }
        compared = _getter([name for name, each in fields.items() if each.compare])
        if repr:
            added["__repr__"] = _repr
        if eq:
            added["__eq__"] = _comparison(operator.eq, compared)
            added["__hash__"] = None
        if eq and frozen:
            hashed = _getter([name for name, each in fields.items() if each.hash])
            added["__hash__"] = lambda self: hash(hashed(self))
        if order:
            for name in ("lt", "le", "gt", "ge"):
                added[f"__{name}__"] = _comparison(getattr(operator, name), compared)
        if frozen:
            added |= {"__setattr__": _set, "__delattr__": _delete}
        if frozen and slots:
            added |= {"__getstate__": _state, "__setstate__": _restore}
        added = {name: value for name, value in added.items() if name not in cls.__dict__}
        if slots:
            cls = _slotted(cls, own, {**added, "__slots__": tuple(own.keys() - inherited.keys())})
        else:
            _extend(cls, own, added)
        cls.__init__ = _constructor(cls, fields, frozen=frozen, slots=slots)
        return cls

    return made if cls is None else made(cls)


def _own(cls: Any) -> dict[str, _Field]:
    """The fields that a class itself declares."""
    found = {}
    for name, kind in cls.__annotations__.items():
        if "ClassVar" in str(kind):
            continue
        default = cls.__dict__.get(name, _MISSING)
        found[name] = default if isinstance(default, _Field) else _Field(default=default)
    return found


def _extend(cls: Any, own: Mapping[str, _Field], added: Mapping[str, Any]) -> None:
    for name, value in added.items():
        setattr(cls, name, value)
    for name, each in own.items():
        if each.default is not _MISSING:
            setattr(cls, name, each.default)
        elif name in cls.__dict__:
            delattr(cls, name)


def _slotted(cls: Any, own: Mapping[str, _Field], added: dict[str, Any]) -> Any:
    """The class again, with slots: only a new class can be given any."""
    left_out = {"__dict__", "__weakref__", *own}
    body = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    again = type(cls)(cls.__name__, cls.__bases__, body | added)
    again.__qualname__ = cls.__qualname__
    return again


def _constructor(cls: Any, fields: Mapping[str, _Field], *, frozen: bool, slots: bool) -> Any:
    """The `__init__` of a class. A slot is set by its own descriptor, faster than by object.__setattr__."""
    known: dict[str, Any] = {"_absent": _MISSING, "_set": object.__setattr__}
    parameters, lines = ["self"], []
    for name, each in fields.items():
        value = name
        if each.default_factory is not _MISSING:
            known[f"_make_{name}"] = each.default_factory
            value = f"_make_{name}()" + (f" if {name} is _absent else {name}" if each.init else "")
            default = "=_absent"
        elif each.default is not _MISSING:
            known[f"_default_{name}"] = each.default
            default = f"=_default_{name}"
            value = name if each.init else f"_default_{name}"
        else:
            default = ""
            if not each.init:
                continue
        if each.init:
            parameters.append(f"{name}{default}")
        if not frozen:
            lines.append(f"self.{name} = {value}")
        elif slots:
            known[f"_set_{name}"] = getattr(cls, name).__set__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines or ["pass"])
    found: dict[str, Any] = {}
    exec(f"def __init__({', '.join(parameters)}):\n {body}", known, found)  # noqa: S102  our own names
    made = found["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


def _replace(record: Any, /, **changes: Any) -> Any:
    for name, each in getattr(record, _FIELDS).items():
        if each.init:
            if name not in changes:
                changes[name] = getattr(record, name)
        elif name in changes:
            raise ValueError(
                f"field {name} is declared with init=False, it cannot be specified with replace()"
            )
    return record.__class__(**changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _Field, _replace
