"""Values with a secret in them: what is shown of a URL, and that nothing else of it gets out."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from reconciler.domain import hidden
from reconciler.domain.desired import SecretRef, UrlRef
from reconciler.domain.hidden import Hidden, mask
from reconciler.domain.kinds import OPENAI
from reconciler.plan import differ

SHOWN = {
    "https://h.com/f": "https://h.com/f",
    "https://h.com/f?loja=centro&page=2": "https://h.com/f?loja=centro&page=2",
    "https://h.com/api/consulta-pedido/v2": "https://h.com/api/consulta-pedido/v2",
    "https://h.com/f?code=hunter": "https://h.com/f?code=***",
    "https://h.com/f?loja=1&api_key=abc": "https://h.com/f?loja=1&api_key=***",
    "https://h.com/f?functionKey=abc": "https://h.com/f?functionKey=***",
    "https://h.com/f?x=aB3dE5gH7": "https://h.com/f?x=***",
    "https://h.com/f?aB3dE5gH7": "https://h.com/f?***",
    "https://h.com/f?a=1;token=b": "https://h.com/f?a=1;token=***",
    "https://h.com/f;jsessionid=1": "https://h.com/f;jsessionid=***",
    "https://h.com/f,token=hunter": "https://h.com/f,token=***",
    "https://h.com/f&code=hunter": "https://h.com/f&code=***",
    "https://h.com/secret=hunter/f": "https://h.com/secret=***/f",
    "https://h.com/token:hunter": "https://h.com/token:***",
    "https://h.com/v1:predict": "https://h.com/v1:predict",
    "https://h.com/token/hunter/f": "https://h.com/token/***/f",
    "https://h.com/API-Key/hunter": "https://h.com/API-Key/***",
    "https://h.com/keyboard/azul": "https://h.com/keyboard/azul",
    "https://h.com/f%3Fcode%3Dhunter": "https://h.com/***",
    "https://h.com/f%23hunter": "https://h.com/***",
    "https://h.com/f%2523hunter": "https://h.com/***",
    "https://h.com/caf%C3%A9": "https://h.com/caf%C3%A9",
    "https://h.com/f?c%6Fde=hunter": "https://h.com/f?c%6Fde=***",
    "https://h.com/f?c%256Fde=hunter": "https://h.com/f?c%256Fde=***",
    "https://h.com/f?\uff43\uff4f\uff44\uff45=hunter": "https://h.com/f?\uff43\uff4f\uff44\uff45=***",
    "https://h/f?sig=%2Bab&se=2026": "https://h/f?sig=***&se=***",
    "HTTPS://H.com/F?CODE=abc": "HTTPS://H.com/F?CODE=***",
    "https://[::1]:80/f?key=1": "https://[::1]:80/f?key=***",
    "https://user:pw@h.com:1/f": "https://***@h.com:1/f",
    "https://pw@h.com": "https://***@h.com",
    "https://h.com/f#pw": "https://h.com/f#***",
    "h.com/f?code=abc": "h.com/f?code=***",
    "https://hooks.slack.com/services/T0/B0/x": "https://hooks.slack.com/services/***/***/***",
    "https://discord.com/api/webhooks/1/x": "https://discord.com/api/webhooks/1/***",
    "https://hook.us1.make.com/abc": "https://hook.us1.make.com/***",
    "https://hooks.zapier.com/hooks/catch/1/a/": "https://hooks.zapier.com/hooks/catch/***/***/",
    "https://api.telegram.org/bot1:A/send": "https://api.telegram.org/***/***",
    "https://h.com/w/3f2504e0-4f89-11d3-9a0c-0305e82c3301": "https://h.com/w/***",
    "https://user:pw@h.com//api": "***",
    "https://h.com/f?x=http://u:pw@h": "***",
    "https://user%3Apw%40h.com/": "***",
    "user:pw@h.com/f": "***",
    "https:\\\\u:p@h": "***",
    "https:///u:p@h": "***",
    "https://[bad/f?key=1": "***",
    "https://h.com/a b": "***",
    "!env HOME": "***",
}


@pytest.mark.parametrize("url", SHOWN)
def test_what_is_shown_of_a_url(url: str) -> None:
    assert mask(url) == SHOWN[url]
    assert mask(mask(url)) == mask(url)


FIELD = OPENAI.fields["functionUrl"]
A, B = "https://h.com/f?code=aaa111", "https://h.com/f?code=bbb222"


def test_nothing_that_prints_or_saves_has_the_secret() -> None:
    value = hidden.hide(FIELD, A)
    printed = f"{value} {value!r} {value:>9} {json.dumps([value])} {[value]} {copy.deepcopy([value])}"
    assert "aaa111" not in printed + str(value) + ascii(value) + "".join(list(str(value)))
    with pytest.raises(TypeError):
        pickle.dumps(value)
    assert hidden.body({"functionUrl": value, "enabled": True}) == {"functionUrl": A, "enabled": True}


def test_the_secrets_that_a_client_masks_in_a_servers_words() -> None:
    found = hidden.secrets(
        {"functionUrl": hidden.hide(FIELD, "https://u:pw@h.com/f?code=aaa111&loja=1"), "model": "x"}
    )
    assert found == ["u:pw", "aaa111"]
    read = Hidden("!env URL", A, UrlRef("env", "URL"))
    assert hidden.secrets({"functionUrl": read}) == ["aaa111"]
    plain = Hidden("!env URL", "https://h.com/f", UrlRef("env", "URL"))
    assert hidden.secrets({"functionUrl": plain}) == []


def test_what_is_compared_is_the_whole() -> None:
    a, again, b = (hidden.hide(FIELD, url) for url in (A, A, B))
    assert (a == again, a == b, hash(a) == hash(again), a != b) == (True, False, True, True)
    assert [change.name for change in differ.changes({"functionUrl": a}, {"functionUrl": b}, OPENAI)] == [
        "functionUrl"
    ]
    assert differ.changes({"functionUrl": a}, {"functionUrl": again}, OPENAI) == ()
    assert differ.same(a, str(a)), "a saved plan has what is shown"
    assert not differ.same(b, None)
    assert isinstance(hidden.hide(FIELD, str(a)), Hidden), "a mask that somebody stored is no saved plan's"
    assert not differ.same(a, hidden.hide(FIELD, str(a)))


def test_what_is_not_at_hand_is_not_compared() -> None:
    there = hidden.of_ref(UrlRef("env", "URL_OF_A_TEST"), "URL_OF_A_TEST is not set")
    assert differ.same(hidden.hide(FIELD, A), there)
    assert differ.same("https://h.com", there)
    assert not differ.same(None, there), "that it is missing is known"
    with pytest.raises(ValueError, match="functionUrl is not known"):
        hidden.body({"functionUrl": there})


def test_where_a_value_is_found_as_a_saved_plan_says_it() -> None:
    assert hidden.ref_of(FIELD, "!env URL") == UrlRef("env", "URL")
    assert hidden.ref_of(FIELD, "!secret-file /run/u") == UrlRef("secret-file", "/run/u")
    assert hidden.ref_of(FIELD, A) is None
    assert hidden.ref_of(OPENAI.fields["model"], "!env URL") is None
    assert hidden.ref_of(FIELD, hidden.hide(FIELD, "!env HOME")) is None, "a server's text names no variable"
    assert SecretRef("env", "URL") != UrlRef("env", "URL")
