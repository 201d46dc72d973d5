"""Manifests in every form that YAML allows: they say what is wanted afterwards, or are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.importer.drift import Drift
from reconciler.importer.rewriting import Manifests, NotDoneError
from reconciler.manifests.load import load
from tests.manifests.writing import write

REST = "openaiCreds: main, botType: chatCompletion, maxTokens: 3, triggerType: none"
DRIFT = Drift("loja", "a", {"model": "new: 'one'", "systemMessages": ("zero", "one\n", "three")})

ODD = {
    "explicit keys": """\
bots:
  ? a
  : {REST, ? model : x, systemMessages: [one]}
""",
    "explicit keys in blocks": """\
bots:
  a:
    ? model
    : x
    ? systemMessages
    : - one
      - two
    openaiCreds: main
    botType: chatCompletion
    maxTokens: 3
    triggerType: none
""",
    "directives": """\
%YAML 1.2
%TAG ! !
---
bots:
  a: {REST, model: x, systemMessages: []}
...
""",
    "a comment behind the document": """\
bots: {a: {REST, model: x, systemMessages: [one]}}
... # end
""",
    "all on one line": """\
{bots: {a: {REST, model: x, systemMessages: [one, two]}}}""",
    "as JSON": """\
{"bots":{"a":{"openaiCreds":"main","botType":"chatCompletion","maxTokens":3,"triggerType":"none","model":"x","systemMessages":["one"]}}}""",
    "dashes apart from items": """\
bots:
  a:
    <<: {REST}
    model: x
    systemMessages:
      -
        one
      - # c
        two
""",
    "an anchor above its list": """\
bots:
  a:
    <<: {REST}
    model: &m
      x
    systemMessages: &s
      # c
      - one
    userMessages: *s
""",
    "an anchor of a bot": """\
bots:
  a: &a # c
    <<: {REST}
    model: x
    systemMessages: [one]
""",
    "a merged list of mappings": """\
x-a: &a {REST}
x-b: &b
  model: x
  systemMessages: [one]
bots:
  a:
    <<:
      - *a
      - *b
""",
    "an inline merge": """\
bots:
  a: {<<: {REST, model: x}, systemMessages: [one]}
""",
    "aliases as items": """\
x-t: &t one
x-u: &u two
bots:
  a:
    <<: {REST}
    model: x
    systemMessages: [*t , *u]
""",
    "an alias as a bot": """\
x-a: &a {REST, model: x, systemMessages: [one]}
bots:
  a: *a
""",
    "an alias as a bot in braces": """\
x-a: &a {REST, model: x, systemMessages: [one]}
bots: {a: *a }
""",
    "other line breaks": """\
bots:
  a:
    <<: {REST}
    model: x
    systemMessages:
    - |
      a\u2028      b
""",
    "wide characters": """\
bots: # 🛒𝒳
  a: {REST, description: '🛒 é 𝒳', model: x, systemMessages: ['🛒']}
""",
    "tabs": """\
bots:\t# c
  a:\t{REST,\t\tmodel:\tx\t,
\t\t\tsystemMessages:\t[\tone\t,\ttwo\t]\t}\t# c
""",
    "a text of text": """\
bots:
  a:
    <<: {REST}
    model: x
    description: |
      bots:
        a:
          model: y
    systemMessages:
    - >+2
        one

       two

""",
}
"""REST is put in."""


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_forms(text: str, tmp_path: Path) -> None:
    text = text.replace("REST", REST)
    root = write(tmp_path, {"loja.yaml": text})
    before = load(root)
    contents = Manifests(root, {DRIFT.instance}).with_drifts([DRIFT])
    [instance] = load(root, contents).instances
    [bot] = instance.bots
    assert bot.fields == {**before.instances[0].bots[0].fields, **DRIFT.fields}
    kept = [line for line in text.split("\n") if "#" in line]
    after = contents[root.resolve() / "loja.yaml"].decode()
    assert all(line.rpartition("#")[2] in after for line in kept), "every comment is there"


@pytest.mark.parametrize("bots", ["{<<: *b}", "*b"])
def test_a_bot_that_comes_in_with_others_is_left_alone(bots: str, tmp_path: Path) -> None:
    text = f"x-bots: &b {{a: {{{REST}, model: x, systemMessages: [one]}}}}\nbots: {bots}\n"
    with pytest.raises(NotDoneError, match="write it out here"):
        Manifests(write(tmp_path, {"loja.yaml": text}), {DRIFT.instance}).with_drifts([DRIFT])
