"""Addresses: what of one is shown, and which the server may have. Nothing of a secret in any of them."""

from __future__ import annotations

import re

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution import address
from reconciler.evolution.client import Client, Server
from tests.evolution.scripted import KEY, asked, reply

LOGIN = "hunter2"
"""What stands in the place of a password, in every URL below that has one."""

SHOWN = [
    ("https://evo.example.com", "https://evo.example.com"),
    ("https://evo.example.com:8443/evo/v2/", "https://evo.example.com:8443/evo/v2/"),
    ("HTTPS://Evo.example.com/Manager", "https://Evo.example.com/Manager"),
    ("https://evo.example.com//api", "https://evo.example.com//api"),
    ("https://évo.example.com/x", "https://évo.example.com/x"),
    ("http://[::1]:8080/evo", "http://[::1]:8080/evo"),
    ("//elsewhere.test/openai", "//elsewhere.test/openai"),
    ("/manager", "/manager"),
    # what may be a token is left out
    (f"https://evo.example.com/?token={LOGIN}", "https://evo.example.com/"),
    (f"https://evo.example.com/a?x=http://b/{LOGIN}", "https://evo.example.com/a"),
    (f"https://evo.example.com/a#{LOGIN}", "https://evo.example.com/a"),
    (f"https://evo.example.com/{LOGIN}/api", "https://evo.example.com/…/api"),
    (f"https://evo.example.com/a;t={LOGIN}", "https://evo.example.com/…"),
    (f"https://evo.example.com/token={LOGIN}", "https://evo.example.com/…"),
    (f"https://evo.example.com/a%3Ftoken={LOGIN}", "https://evo.example.com/…"),
    (f"https://evo.example.com/reset/{KEY}", "https://evo.example.com/reset/…"),
    (f"/login?next={LOGIN}", "/login"),
]

NOT_SHOWN = [
    # an @, in whatever form and place
    f"https://me:{LOGIN}@evo.example.com",
    f"https://me:{LOGIN}@evo.example.com//api",
    f"https://me:{LOGIN}@evo.example.com/?x=http://a",
    f"https://me:{LOGIN}@evo.example.com/#//",
    f"https://me:{LOGIN}%40evo.example.com//api",
    f"https://me:{LOGIN}%2540evo.example.com",
    f"https://me:{LOGIN}＠evo.example.com",
    f"https://me:{LOGIN}%EF%BC%A0evo.example.com",
    f"https://evo.example.com/@{LOGIN}",
    f"https://evo.example.com/?mail=me@{LOGIN}",
    f"https:me:{LOGIN}@evo.example.com",
    f"HTTPS://me:{LOGIN}@evo.example.com//",
    f"me:{LOGIN}@evo.example.com",
    f"//me:{LOGIN}@evo.example.com",
    f"https://{LOGIN}@[::1]/",
    f"http://me:{LOGIN}@évo.example.com",
    # no URL, or one that readers take apart differently
    f"https://me:{LOGIN}",
    f"https://me:{LOGIN}/evo.example.com",
    f"https:/me:{LOGIN}/evo",
    f"https:{LOGIN}",
    f"evo.example.com:8080/api?token={LOGIN}",
    LOGIN,
    f"https:\\\\me:{LOGIN}\\evo.example.com",
    f"https://evo.example.com\\{LOGIN}",
    f"https://evo.example.com /{LOGIN}",
    f"https://evo.exa\tmple.com/{LOGIN}",
    f"ht\ntps://{LOGIN}",
    f"https://{LOGIN}\u200b.example.com",
    f"https://[::1]{LOGIN}:8080",
    f"https://{LOGIN}[::1]",
    f"https://[fe80::1%25{LOGIN}]",
    f"https://[v1.{LOGIN}]",
    f"https://evo.example.com:{LOGIN}",
    f"https://evo.example.com:0/{LOGIN}",
    f"https://evo.example.com:99999/{LOGIN}",
    f"https://evo..example.com/{LOGIN}",
    f"https://{LOGIN}%2Fx",
    f"ftp://evo.example.com/{LOGIN}",
    f"javascript://{LOGIN}",
    f"https://evo.example.com/{'x' * 5000}/{LOGIN}",
    f"https://evo.example.com/{'%25' * 600}40{LOGIN}",
    "",
]


@pytest.mark.parametrize(("url", "shown"), SHOWN)
def test_what_is_shown(url: str, shown: str) -> None:
    assert address.shown(url) == shown


@pytest.mark.parametrize("url", NOT_SHOWN)
def test_what_is_not_shown_at_all(url: str) -> None:
    assert not address.shown(url)


@pytest.mark.parametrize("url", [*NOT_SHOWN, *(url for url, _ in SHOWN)])
def test_no_server_url_shows_its_secret(url: str) -> None:
    try:
        shown = Client(Server(url, KEY, allow_http=True)).url
    except ReconcilerError as error:
        shown = str(error)
    assert LOGIN not in shown
    assert KEY not in shown


@pytest.mark.parametrize("url", [f"https://evo.example.com/{KEY}", f"https://{KEY}.example.com"])
def test_key_in_the_url_is_refused(url: str) -> None:
    with pytest.raises(ReconcilerError, match="must not carry the key") as caught:
        Client(Server(url, KEY))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", [url for url in (*NOT_SHOWN, *(url for url, _ in SHOWN)) if "\n" not in url])
def test_no_redirect_shows_its_secret(url: str) -> None:
    outcome, spy = asked(lambda client: client.find("loja"), reply(302, b"", f"Location: {url}\r\n"))
    assert "redirects to " in str(outcome)
    assert LOGIN not in str(outcome)
    assert KEY not in str(outcome)
    assert len(spy.requests) == 1


def test_addresses_that_are_shown_alike_are_told_apart_in_a_plan() -> None:
    urls = [
        f"https://example.com/{part}" for part in ("tenant-4711", "tenant-4712", "tenant-4711/x", "api", "v2")
    ]
    bound = [address.bound(url) for url in urls]
    assert len(set(bound)) == len(urls)
    assert bound[3:] == urls[3:], "nothing is left out of these"
    assert re.fullmatch(r"https://example\.com/… \([0-9a-f]{8}\)", bound[0])
    assert address.bound(urls[0]) == bound[0]
