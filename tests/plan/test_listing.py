"""Which bots `list` shows, and what each is to the manifests."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.listing import ListedBot, ListedInstance, Listing, Standing
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.plan import listing
from tests.plan.builders import bot, remote


def instance(*bots: DesiredBot, name: str = "loja", **others: Any) -> DesiredInstance:
    return DesiredInstance(name, bots, Position(f"bots/{name}.yaml", 1, 1), **others)


ANA = bot("ana", "x", "equals:1")


def test_what_the_manifests_declare() -> None:
    found = listing.declared(Desired((instance(ANA, vars={"city": "Recife"}), instance(name="filial"))))
    assert found == Listing(
        "",
        (
            ListedInstance("filial", "bots/filial.yaml", ()),
            ListedInstance(
                "loja",
                "bots/loja.yaml",
                (ListedBot("ana", "", Standing.DECLARED, ANA.fields),),
                {"city": "Recife"},
            ),
        ),
    )


Row = tuple[str, str, Standing, str]


@pytest.mark.parametrize(
    ("desired", "there", "rows"),
    [
        ([], [], []),
        ([ANA], [], [("ana", "", Standing.MISSING, "")]),
        ([ANA], [remote("i1", "z", description="[gitops:ana]")], [("ana", "i1", Standing.MANAGED, "")]),
        (
            [bot("ana", "x", previously=("old",))],
            [remote("i1", "z", description="[gitops:old]")],
            [("ana", "i1", Standing.MANAGED, "")],
        ),
        ([ANA], [remote("i1", "x")], [("ana", "i1", Standing.ADOPTABLE, "")]),
        ([ANA], [remote("i1", "z", "equals:1")], [("ana", "i1", Standing.ADOPTABLE, "")]),
        (
            [ANA],
            [remote("i1", "y", description="[gitops:ana]"), remote("i2", "z", description="[gitops:ana]")],
            [
                (
                    "ana",
                    "",
                    Standing.CONFLICT,
                    "bots i1 and i2 carry its marker: delete all but one, or take the marker out of the "
                    "others' descriptions",
                ),
                ("", "i1", Standing.UNMANAGED, "it carries the marker of ana, as another bot does"),
                ("", "i2", Standing.UNMANAGED, "it carries the marker of ana, as another bot does"),
            ],
        ),
        ([], [remote("i1", "x", description="[gitops:ana]")], [("ana", "i1", Standing.UNDECLARED, "")]),
        ([], [remote("i1", "x")], [("", "i1", Standing.UNMANAGED, "")]),
        (
            [],
            [remote("i1", "x", description="[other:ana]~0123abcd")],
            [("", "i1", Standing.UNMANAGED, "it carries the marker of the owner other")],
        ),
        (
            [bot("bia", "b"), ANA],
            [
                remote("i1", "s"),
                remote("i2", "t", description="[gitops:caio]"),
                remote("i3", "x", description="[gitops:ana]"),
            ],
            [
                ("bia", "", Standing.MISSING, ""),
                ("ana", "i3", Standing.MANAGED, ""),
                ("caio", "i2", Standing.UNDECLARED, ""),
                ("", "i1", Standing.UNMANAGED, ""),
            ],
        ),
    ],
)
def test_what_each_bot_is(desired: list[DesiredBot], there: list[RemoteBot], rows: list[Row]) -> None:
    observed = Observed("s", {"loja": ObservedInstance("loja", tuple(there))})
    found = listing.made(Desired((instance(*desired),)), observed, "gitops")
    assert [(one.name, one.id, one.standing, one.why) for one in found.bots()] == rows
    fields = {**{one.name: one.fields for one in desired}, **{one.id: one.fields for one in there}}
    assert all(one.fields == fields[one.id or one.name] for one in found.bots())


OFF = "[gitops:ana]~0123abcd~off20261128"


@pytest.mark.parametrize(
    ("description", "enabled", "off"),
    [
        (OFF, False, "2026-11-28"),
        (OFF, True, ""),
        ("[gitops:ana]~0123abcd", False, ""),
        ("", False, ""),
    ],
)
def test_the_day_on_which_a_bot_was_switched_off(description: str, enabled: bool, off: str) -> None:
    there = remote("i1", "x", description=description, enabled=enabled)
    observed = Observed("s", {"loja": ObservedInstance("loja", (there,))})
    [one] = listing.made(Desired(()), observed, "gitops").bots()
    assert (one.off, one.enabled) == (off, enabled)


def test_every_instance_of_the_server_is_listed_by_name() -> None:
    names = [f"n{number}" for number in range(9)]
    seen = {name: ObservedInstance(name) for name in reversed(names)}
    there = Observed("s", seen, unlisted="not all were read")
    found = listing.made(Desired((instance(name="n3", vars={"city": "Recife"}),)), there, "gitops")
    assert found == Listing(
        "s",
        tuple(
            ListedInstance(
                name,
                "bots/n3.yaml" if name == "n3" else "",
                (),
                {"city": "Recife"} if name == "n3" else {},
            )
            for name in names
        ),
        "not all were read",
    )
    desired = Desired(tuple(instance(name=name) for name in reversed(names)))
    assert [one.name for one in listing.declared(desired).instances] == names


def test_of_an_instance_that_could_not_be_read_the_bots_are_not_known() -> None:
    there = Observed("s", {"loja": ObservedInstance("loja", problem="it is down")})
    [found] = listing.made(Desired((instance(ANA),)), there, "gitops").instances
    assert found == ListedInstance(
        "loja",
        "bots/loja.yaml",
        (ListedBot("ana", "", Standing.UNKNOWN, ANA.fields),),
        problem="it is down",
    )
