"""What an import says at the size of a fleet: what is alike on many instances is said once."""

from __future__ import annotations

from pathlib import Path

from reconciler.domain.reports import ImportReport, LeftOut, Written
from reconciler.render import imported


def _report(instances: int) -> ImportReport:
    names = [f"loja-{number:04}" for number in range(instances)]
    written = tuple(
        Written(
            name, Path("bots", f"{name}.yaml"), 10 + (name == "loja-0007"), 1, settings=False, variables=()
        )
        for name in names
    )
    reason = "another manifest has one of this name"
    left_out = tuple(LeftOut(name, "the credential main", reason) for name in names[1:])
    skipped = tuple(LeftOut(f"velha-{number}", "", "bots/velha.yaml exists already") for number in range(9))
    return ImportReport(Path("bots"), written, skipped, left_out, 0, failed=False)


def test_what_is_alike_is_said_once() -> None:
    text = imported.text(_report(1000))

    assert text.splitlines()[:3] == [
        "bots/loja-0000…0006.yaml  10 bots, 1 credential",
        "bots/loja-0007.yaml       11 bots, 1 credential",
        "bots/loja-0008…0999.yaml  10 bots, 1 credential",
    ]
    assert "Wrote 1000 manifests with 10001 bots." in text


def test_what_is_left_out_of_many_is_said_once() -> None:
    assert imported.notes(_report(1000)).splitlines() == [
        "Skipped:",
        "  velha-0…8: bots/velha.yaml exists already",
        "  A file that is in the way was not overwritten: rename it, and import again.",
        "Left out, as the top of each manifest says too:",
        "  loja-0001…0999: the credential main: another manifest has one of this name",
    ]


def test_many_that_do_not_count_up_are_not_all_named() -> None:
    found = tuple(
        LeftOut(name, "", "it is gone") for name in ("ana", "bea", "caio", "davi", "eva", "fabio", "gil")
    )
    report = ImportReport(Path("bots"), (), (), found, 0, failed=False)

    assert imported.notes(report).splitlines()[1] == "  ana, bea, caio, davi and 3 more: it is gone"


def test_the_variables_of_many_are_not_all_named() -> None:
    def said(instances: int) -> list[str]:
        written = tuple(
            Written(f"l{n}", Path(f"bots/l{n}.yaml"), 1, 1, settings=False, variables=(f"KEY_{n}", "SHARED"))
            for n in range(instances)
        )
        lines = imported.text(ImportReport(Path("bots"), written, (), (), 0, failed=False)).splitlines()
        return [line for line in lines if line.startswith(("  export", "  ..."))]

    assert len(said(10)) == 11
    assert said(1000)[9:] == [
        "  export KEY_8=...",
        "  ... and 991 more: each `!env NAME` in the manifests reads one",
    ]
