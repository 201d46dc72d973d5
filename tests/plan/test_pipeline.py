"""What the stages are given: who lends to the selected instances, and what a sandbox starts with."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.desired import Desired
from reconciler.pipeline import embedded, selecting
from reconciler.pipeline.request import Request

BOT = "botType: assistant, assistantId: a1, triggerType: none"
MANIFESTS = {
    "matriz": f"credentials: {{main: {{apiKey: !env MAIN}}}}\nbots: {{ana: {{openaiCreds: main, {BOT}}}}}",
    "loja": f"bots: {{bia: {{openaiCreds: {{instance: matriz, name: main}}, {BOT}}}}}",
    "filial": f"bots: {{caio: {{openaiCreds: {{instance: away, name: far}}, {BOT}}}}}",
    "solo": f"settings: {{openaiCreds: spare}}\nbots: {{dora: {{openaiCreds: own, {BOT}}}}}",
}


def desired(directory: Path, *selected: str) -> Desired:
    for name, text in MANIFESTS.items():
        (directory / f"{name}.yaml").write_text(text)
    request = Request(
        bots=str(directory),
        instance=selected,
        url=None,
        api_key=None,
        sandbox=True,
        allow_http=False,
        owner="gitops",
        concurrency=1,
        timeout=1,
    )
    return selecting.desired(request)


@pytest.mark.parametrize(
    ("selected", "creds_owners"),
    [([], []), (["loja"], ["matriz"]), (["loja", "matriz"], []), (["filial"], []), (["solo"], [])],
)
def test_who_lends_is_known_even_if_not_selected(
    selected: list[str], creds_owners: list[str], tmp_path: Path
) -> None:
    assert [one.name for one in desired(tmp_path, *selected).creds_owners] == creds_owners


@pytest.mark.parametrize(
    ("selected", "seeds"),
    [
        ("loja", {"loja": set(), "matriz": set()}),
        ("matriz", {"matriz": set()}),
        ("filial", {"filial": set(), "away": {"far"}}),
        ("solo", {"solo": {"own", "spare"}}),
    ],
)
def test_a_sandbox_starts_with_what_no_manifest_declares(
    selected: str, seeds: dict[str, set[str]], tmp_path: Path
) -> None:
    assert embedded.seeds(desired(tmp_path, selected)) == seeds
