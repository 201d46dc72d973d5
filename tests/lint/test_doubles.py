"""Bots of two kinds that answer the same message: what is said, where, how often, and how long it takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.lint.doubles import MOST
from tests.lint.writing import warned


def _said(directory: Path, fragment: str) -> list[str]:
    return [warning.text for warning in warned(directory, fragment) if warning.rule == "two-kinds-answer"]


def _bot(kind: str, operator: str, value: str) -> str:
    return f"{{kind: {kind}, triggerType: keyword, triggerOperator: {operator}, triggerValue: {value}}}"


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        (
            f"bots:\n  a: {_bot('n8n', 'contains', 'ped')}\n  b: {_bot('dify', 'equals', 'pedir')}",
            "'b': the n8n bot 'a' also answers 'pedir', as each kind answers by itself, so contacts get two "
            "answers: change one of the triggers, or disable one bot",
        ),
        (
            f"bots:\n  a: {_bot('n8n', 'startsWith', 'oi')}\n  b: {_bot('dify', 'endsWith', 'tchau')}",
            "'b': the n8n bot 'a' also answers 'oi tchau', ",
        ),
        (
            "settings: {ignoreJids: ['@s.whatsapp.net']}\n"
            "bots:\n  a: {triggerType: all}\n  b: {kind: typebot, triggerType: all}",
            "'b': the OpenAI bot 'a' also answers 'Olá' in a group, ",
        ),
    ],
)
def test_what_is_said(fragment: str, said: str, tmp_path: Path) -> None:
    [text] = _said(tmp_path, fragment)
    assert text.startswith(said)


def test_one_remark_for_each_pair(tmp_path: Path) -> None:
    kinds = ("openai", "dify", "n8n")
    fragment = "bots:\n" + "".join(f"  {kind}: {{kind: {kind}, triggerType: all}}\n" for kind in kinds)
    first = [text.split(" also")[0] for text in _said(tmp_path, fragment)]
    assert first == [
        "'dify': the OpenAI bot 'openai'",
        "'n8n': the Dify bot 'dify'",
        "'n8n': the OpenAI bot 'openai'",
    ]


def test_silenced_on_the_bot_that_is_warned_of(tmp_path: Path) -> None:
    fragment = "bots: {a: {triggerType: all%s}, b: {kind: n8n, triggerType: all%s}}"
    assert _said(tmp_path, fragment % (", silence: [two-kinds-answer]", ""))
    assert not _said(tmp_path, fragment % ("", ", silence: [two-kinds-answer]"))


def test_many_bots_are_few_remarks_in_little_time(tmp_path: Path) -> None:
    bots = [
        f"  b{number}: {_bot(('n8n', 'dify')[number % 2], 'contains', f'palavra{number}')}\n"
        for number in range(400)
    ]
    fragment = "bots:\n" + "".join(bots)
    began = time.process_time()
    said = _said(tmp_path, fragment)
    assert MOST <= len(said) < 2 * MOST
    assert time.process_time() - began < 5
