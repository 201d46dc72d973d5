"""Fields that some versions of the server are known not to keep, by public reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.domain import versions
from reconciler.domain.records import dataclass
from reconciler.domain.versions import Version


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """An issue of the server's project. It holds from version `since` until before version `until`."""

    since: Version
    until: Version
    where: str

    def __str__(self) -> str:
        return self.where


UNKEPT: Mapping[str, KnownIssue] = {
    "ignoreJids": KnownIssue(
        (2, 1, 0), (2, 3, 0), "EvolutionAPI/evolution-api#1027, reported for 2.1.0 to 2.2.1"
    ),
}
"""By field: an issue about it being accepted by a save and lost."""


def of(fields: Iterable[str], version: str) -> Iterator[KnownIssue]:
    """The known issues about these fields in a version; none if it is "", which is not known."""
    if not version:
        return
    number = versions.version(version)
    for name in fields:
        if (issue := UNKEPT.get(name)) and issue.since <= number < issue.until:
            yield issue
