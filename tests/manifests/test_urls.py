"""URLs with `${env:NAME}` in them: how they are read, shown, saved and put together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.domain import hidden
from reconciler.domain.desired import Fields, SecretRef, UrlRef, UrlTemplate
from reconciler.domain.errors import ManifestError
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS, Kind
from reconciler.manifests import secrets
from reconciler.manifests.variables import literal
from tests.manifests.writing import bot, problems, read, whole

FLOWISE, DIFY, OPENAI = KINDS["flowise"], KINDS["dify"], KINDS["openai"]
URLS = [
    (kind, field.name) for kind in KINDS.values() for field in kind.fields.values() if field.hides == "url"
]
TOKEN = "canario-9f8e7d6c5b4a"


def one(url: str, head: str = "") -> str:
    """A manifest with a bot that has this URL."""
    return f"{head}\nbots:\n  {whole(FLOWISE, apiUrl=repr(url))}\n"


def url_of(directory: Path, url: str, head: str = "") -> Hidden:
    value = bot(directory, one(url, head)).fields["apiUrl"]
    assert isinstance(value, Hidden)
    return value


SHOWN = {
    "https://x.example/v1?token=${env:TOKEN}": "https://x.example/v1?token=${env:TOKEN}",
    "https://x.example/v1?k=${env:A}${env:B}&q=1": "https://x.example/v1?k=${env:A}${env:B}&q=1",
    "https://${env:USER_NAME}:${env:TOKEN}@x.example/": "https://${env:USER_NAME}:${env:TOKEN}@x.example/",
    "https://ana:${env:TOKEN}@x.example/": "https://ana:${env:TOKEN}@x.example/",
    "https://x.example/hook/${env:TOKEN}": "https://x.example/hook/${env:TOKEN}",
    "https://hooks.slack.com/services/${env:TOKEN}": "https://hooks.slack.com/services/${env:TOKEN}",
    "${env:BASE}/v1": "${env:BASE}/v1",
    "https://ana:segredo99@x.example/?t=${env:TOKEN}": "https://***@x.example/?t=${env:TOKEN}",
    "https://x.example/?key=abc${env:TOKEN}": "https://x.example/?key=***",
    "https://x.example/?key=segredo99&t=${env:TOKEN}": "https://x.example/?key=***&t=${env:TOKEN}",
}


@pytest.mark.parametrize(("url", "shown"), SHOWN.items())
def test_what_is_shown(tmp_path: Path, url: str, shown: str) -> None:
    value = url_of(tmp_path, url)
    assert str(value) == shown
    assert isinstance(value.ref, UrlTemplate)
    assert value.real is None
    assert "segredo99" not in repr(value.ref)
    saved = hidden.ref_of(FLOWISE.fields["apiUrl"], shown)
    assert saved == (None if hidden.MASK in shown else value.ref)


@pytest.mark.parametrize(("kind", "name"), URLS, ids=str)
def test_every_url(tmp_path: Path, kind: Kind, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: "'https://x.example/?token=${env:A_TOKEN}'"}
    desired = read(tmp_path, {"loja.yaml": f"bots:\n  {whole(kind, **given)}\n"})
    assert isinstance(desired.instances[0].bots[0].fields[name], Hidden)

    def value() -> Hidden:
        found = secrets.filled(desired).instances[0].bots[0].fields[name]
        assert isinstance(found, Hidden)
        assert str(found) == "https://x.example/?token=${env:A_TOKEN}"
        return found

    monkeypatch.delenv("A_TOKEN", raising=False)
    assert (value().real, value().why) == (None, "A_TOKEN is not set")
    monkeypatch.setenv("A_TOKEN", f" {TOKEN}\n")
    assert value().real == f"https://x.example/?token={TOKEN}"
    assert TOKEN in hidden.secrets({name: value()})
    saved: Fields = {name: "https://x.example/?token=${env:A_TOKEN}"}
    sent = secrets.with_secrets(saved, secrets.read, kind)
    assert hidden.body(sent) == {name: f"https://x.example/?token={TOKEN}"}


VALUES = {
    "": "A_TOKEN is blank",
    "uma senha": "it has a blank or a line break inside",
    "***": "it is masked",
    '"segredo99"': "A_TOKEN cannot be put into the URL: it has quotes around it",
    "'segredo99'": "it has quotes around it",
    "segredo“99": "it has quotes or a backslash inside",
    "segredo99\\n": "it has quotes or a backslash inside",
    "A_TOKEN=segredo99": "it has a name and = or : before the value",
    "Bearer segredo99": 'it has "Bearer"',
    "$A_TOKEN": "it is a placeholder, or the name of a variable",
    "${A_TOKEN}": "it is a placeholder, or the name of a variable",
    "%A_TOKEN%": "it is a placeholder, or the name of a variable",
    "<your-token>": "it is a placeholder in brackets",
    "[REDACTED]": "it is a placeholder",
    "your-token": "it is a placeholder",
    "null": "it is a placeholder",
    "op://vault/item": "it is a placeholder",
    '{"token": "segredo99"}': "it is JSON",
    "segre\u200bdo99": "it holds U+200B",
    "segre\u2028do99": "it holds U+2028",
    "ab" * 150: "the URL with ${env:A_TOKEN} has 325 characters, and the limit is 255",
}


@pytest.mark.parametrize(("text", "said"), VALUES.items())
def test_values_that_make_no_url(
    tmp_path: Path, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = read(tmp_path, {"loja.yaml": one("https://x.example/?k=${env:A_TOKEN}&q=1")})
    monkeypatch.setenv("A_TOKEN", text)
    if not text:
        value = secrets.filled(desired).instances[0].bots[0].fields["apiUrl"]
        assert isinstance(value, Hidden)
        assert value.why == said
        return
    with pytest.raises(ManifestError) as raised:
        secrets.filled(desired)
    assert said in str(raised.value)
    assert text not in str(raised.value)


def test_the_key_of_the_server_is_in_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desired = read(tmp_path, {"loja.yaml": one("https://x.example/?k=${env:A_TOKEN}")})
    monkeypatch.setenv("EVOLUTION_API_KEY", TOKEN)
    monkeypatch.setenv("A_TOKEN", TOKEN)
    with pytest.raises(ManifestError, match="it is the key of the server itself") as raised:
        secrets.filled(desired)
    assert TOKEN not in str(raised.value)


WRONG = {
    "https://x.example/?k=${env:}": "must be followed by the name of a variable",
    "https://x.example/?k=${env:A-B}": "must be followed by the name of a variable",
    "https://x.example/?k=${env:A": "must be followed by the name of a variable",
    "https://x.example/?k=${env:EVOLUTION_API_KEY}": "is the key of the server itself",
    "https://x.example/?k=${env:evolution_api_key}": "is the key of the server itself",
    "https://x.example/?k=${env:EVOLUTION_API_URL}": "a variable of this tool",
    "https://x.example/?k=${env:EVOLUTION_RECONCILER_PLAN_KEY}": "a variable of this tool",
    "https://x.example/?k=${env:GITHUB_TOKEN}": "or of the runner of GitHub or GitLab",
    "https://x.example/?k=${env:CI_JOB_TOKEN}": "or of the runner of GitHub or GitLab",
    "https://x.example/?k=${env:RECONCILER_SECRETS}": "a variable of this tool",
    "https://x.example/?k=${env:ACTIONS_ID_TOKEN_REQUEST_TOKEN}": "or of the runner of GitHub or GitLab",
    "https://x.example/?k=${env:a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6}": "not the key",
}


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "EVOLUTION_RECONCILER_PLAN_KEY", "EVOLUTION_API_KEY"])
def test_a_saved_plan_cannot_name_them_either(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "https://x.example/of-the-runner")
    for ref in (
        SecretRef("env", name),
        UrlRef("env", name),
        UrlTemplate("env", f"https://x/${{env:{name}}}"),
    ):
        with pytest.raises(secrets.NoKeyError) as raised:
            secrets.read(ref)
        assert "of-the-runner" not in str(raised.value)


@pytest.mark.parametrize(("url", "said"), WRONG.items())
def test_what_is_no_variable(tmp_path: Path, url: str, said: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": one(url)})
    assert said in found
    assert "a1b2c3" not in found


ELSEWHERE = {
    "a text": "bots: {a: {kind: typebot, url: x, typebot: '${env:A}', triggerType: none}}",
    "a prompt": "bots:\n  " + whole(OPENAI, systemMessages="[x, 'a ${env:A} b']"),
    "a file": f"bots:\n  {whole(OPENAI, systemMessages='[!file p.md]')}\n",
    "a credential": "bots:\n  " + whole(OPENAI, openaiCreds="'${env:A}'"),
    "a variable": "vars: {x: '${env:A}'}\nbots: {}",
    "with variables": "vars: {}\nbots: {a: {kind: typebot, url: x, typebot: '${env:A}', triggerType: none}}",
    "a setting": "settings: {keywordFinish: '${env:A}'}\nbots: {}",
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_it_is_read_in_urls_only(tmp_path: Path, case: str) -> None:
    [found] = problems(tmp_path, {"loja.yaml": ELSEWHERE[case], "p.md": "a ${env:A} b"})
    assert "is read in URLs only" in found


def test_variables_and_what_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://${host}/$${host}/$${env:A}?k=${env:A_TOKEN}"
    value = url_of(tmp_path, url, "vars: {host: x.example}")
    assert isinstance(value.ref, UrlTemplate)
    assert value.ref.name == "https://x.example/${host}/$${env:A}?k=${env:A_TOKEN}"
    assert hidden.put_together(value.ref.name, {"A_TOKEN": "1"}.__getitem__) == (
        "https://x.example/${host}/${env:A}?k=1"
    )
    plain = url_of(tmp_path, "https://x.example/?k=$${env:A}")
    assert (str(plain), plain.real, plain.ref) == ("***", "https://x.example/?k=${env:A}", None)


def test_a_long_template_is_not_too_long(tmp_path: Path) -> None:
    names = "&".join(f"k=${{env:{letter * 60}}}" for letter in "ABCDE")
    assert len(names) > 255
    assert url_of(tmp_path, f"https://x.example/?{names}").real is None
    assert "the limit is 255" in problems(tmp_path, {"loja.yaml": one("https://x.example/" + "x" * 250)})[0]


SIGNS = st.lists(
    st.sampled_from(["$", "{", "}", "${", "$${", "${env:A}", "${env:", "env:A}", "${a}", "a", " ", "/"]),
    max_size=8,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(text=SIGNS, variables=st.booleans())
@example(text="$${env:A}", variables=False)
@example(text="$$${env:A}${a}", variables=True)
def test_a_literal_is_read_back(tmp_path: Path, text: str, variables: bool) -> None:
    head = "vars: {a: b}\n" if variables else ""
    quoted = "'" + literal(f"x{text}", variables=variables) + "'"
    found = bot(tmp_path, f"{head}bots:\n  {whole(OPENAI, description=quoted)}\n")
    assert found.fields["description"] == f"x{text}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(before=SIGNS, after=SIGNS, variables=st.booleans())
def test_literals_beside_a_placeholder(tmp_path: Path, before: str, after: str, variables: bool) -> None:
    head = "vars: {a: b}\n" if variables else ""
    before, after = (part.replace(" ", "") for part in (before, after))  # a URL has none
    parts = [literal(f"x{part}x", variables=variables) for part in (before, after)]
    value = url_of(tmp_path, f"{parts[0]}${{env:B}}{parts[1]}", head)
    assert isinstance(value.ref, UrlTemplate)
    wanted = f"x{before}x<B>x{after}x"
    assert hidden.put_together(value.ref.name, "<{}>".format) == wanted


def test_two_bots_with_the_same_reference(tmp_path: Path) -> None:
    lines = [whole(FLOWISE, name, apiUrl="'https://x.example/${env:A}'") for name in ("a", "b")]
    [found] = problems(tmp_path, {"loja.yaml": "bots:\n  {}\n  {}\n".format(*lines)})
    assert "have the same apiUrl and apiKey" in found
    lines[1] = whole(FLOWISE, "b", apiUrl="'https://x.example/${env:B}'")
    assert read(tmp_path, {"loja.yaml": "bots:\n  {}\n  {}\n".format(*lines)}).instances


def test_two_names_with_the_same_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [whole(DIFY, name, apiKey=f"!env {name.upper()}_KEY") for name in ("a", "b")]
    desired = read(tmp_path, {"loja.yaml": "bots:\n  {}\n  {}\n".format(*lines)})
    monkeypatch.setenv("A_KEY", TOKEN)
    monkeypatch.setenv("B_KEY", "outro-1a2b3c4d")
    assert secrets.filled(desired).instances
    monkeypatch.setenv("B_KEY", TOKEN)
    with pytest.raises(ManifestError, match="have the same botType, apiUrl and apiKey") as raised:
        secrets.filled(desired)
    assert TOKEN not in str(raised.value)


PASSWORDS = {
    "p@ss, (word)'": "",
    "senha com espaço": "",
    "it's": "",
    '"quoted"': "it has quotes around it",
    "$N8N_PASS": "it is a placeholder",
    "<password>": "it is a placeholder",
    '"e as': "",
    "Senha: 1": "",
    "a#b = c": "",
    "“quoted”": "it has quotes around it",
    "${N8N_PASS}": "it is a placeholder",
    "{{ secrets.N8N_PASS }}": "it is a placeholder",
    "[REDACTED]": "it is a placeholder",
    "your-password": "it is a placeholder",
    "n/a": "it is a placeholder",
    "op://vault/item/password": "it is a placeholder",
    "!env N8N_PASS": "it is a placeholder",
    "N8N_PASS=segredo99": "it has a name and = or : before the value",
    "export N8N_PASS=segredo99": "it has a name and = or : before the value",
    "Basic dTpw": 'it has "Bearer"',
    "Authorization: Basic dTpw": 'it has "Bearer"',
    '{"password": "segredo99"}': "it is JSON",
    "segredo99 # prod": "it has a comment",
    "a\u00a0b": "it holds U+00A0",
    "a***": "it is masked",
    "a\nb": "it holds U+000A",
    "a\u200bb": "it holds U+200B",
}


@pytest.mark.parametrize(("text", "said"), PASSWORDS.items())
def test_a_password(tmp_path: Path, text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desired = read(tmp_path, {"loja.yaml": f"bots:\n  {whole(KINDS['n8n'])}\n"})
    monkeypatch.setenv("A_SECRET", text)
    if not said:
        value = secrets.filled(desired).instances[0].bots[0].fields["basicAuthPass"]
        assert isinstance(value, Hidden)
        assert value.real == text
        return
    with pytest.raises(ManifestError, match="basicAuthPass of 'a': A_SECRET does not look like") as raised:
        secrets.filled(desired)
    assert said in str(raised.value)
    assert text not in str(raised.value)
