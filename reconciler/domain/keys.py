"""The API keys that were found for declared credentials. Kept in memory only, as SecretStr."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.records import dataclass, field
from reconciler.domain.secret import SecretStr


@dataclass(frozen=True, slots=True)
class Keys:
    """What was found for each declared credential, by instance and name: its key, or why there is none."""

    found: Mapping[tuple[str, str], SecretStr | str] = field(default_factory=dict)

    def key(self, instance: str, name: str) -> SecretStr | None:
        """The key of a declared credential; None where it is not available."""
        found = self.found.get((instance, name))
        return found if isinstance(found, SecretStr) else None

    def known(self) -> list[SecretStr]:
        """Every key that is available."""
        return [key for key in self.found.values() if isinstance(key, SecretStr)]

    def missing(self, instance: str) -> dict[str, str]:
        """Why the key of an instance's declared credential is not available, by the credential's name."""
        return {
            name: found
            for (owner, name), found in self.found.items()
            if owner == instance and isinstance(found, str)
        }
