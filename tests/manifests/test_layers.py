"""What an instance is made of, where a case of its own tells more than a line in a table."""

from __future__ import annotations

from pathlib import Path

from tests.manifests.writing import problems, read

D = "_defaults.yaml"
BOT = "botType: assistant, assistantId: x, openaiCreds: c, triggerType: none"


def test_a_credential_whose_name_is_wrong_hides_no_other(tmp_path: Path) -> None:
    files = {
        "loja.yaml": "vars: {n: x}\nbots: {}\ncredentials:\n"
        "  ${no}: {apiKey: !env A}\n  ${nor}: {apiKey: !env B}\n  ${n}: {apiKey: !env C}\n"
        "  x: {apiKey: !env D}\n"
    }
    first, second, third = problems(tmp_path, files)
    assert "${no} is not a declared variable" in first
    assert "${nor} is not a declared variable" in second
    assert "the credential 'x' is already declared at" in third


def test_variables_in_jids_that_are_added(tmp_path: Path) -> None:
    files = {
        D: "vars: {group: 1203}\nsettings: {ignoreJids: {merge: ['${group}@g.us', plain]}}",
        "loja.yaml": f"bots: {{a: {{{BOT}}}}}",
    }
    [loja] = read(tmp_path, files).instances
    settings = loja.settings["openai"]
    assert (settings.fields["ignoreJids"], settings.merge_jids) == (("1203@g.us", "plain"), True)


def test_a_limit_holds_where_nothing_is_filled_in(tmp_path: Path) -> None:
    """A text that could hold a variable is measured when it is known that there are none."""
    long = f"${{{'x' * 101}}}"
    files = {D: f"defaults: {{keywordFinish: '{long}'}}", "loja.yaml": f"bots: {{a: {{{BOT}}}}}"}
    [problem] = problems(tmp_path, files)
    assert "keywordFinish has 104 characters" in problem
    bot = f"{BOT}, keywordFinish: '{long}'"
    [problem] = problems(tmp_path, {D: "x-: 1", "loja.yaml": f"bots: {{a: {{{bot}}}}}"})
    assert "keywordFinish has 104 characters" in problem
