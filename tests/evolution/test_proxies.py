"""Which proxy the environment names, for which server, and what is said of one that cannot be used."""

from __future__ import annotations

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution import proxies

SERVER = "https://evo.example.com"
PROXY = "http://proxy.test:3128"

NAMED = [
    ({"HTTPS_PROXY": PROXY}, "HTTPS_PROXY"),
    ({"https_proxy": PROXY}, "https_proxy"),
    ({"HTTPS_PROXY": "http://other.test:1", "https_proxy": PROXY}, "https_proxy"),
    ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.test:1"}, "HTTPS_PROXY"),
    ({"all_proxy": PROXY}, "all_proxy"),
    ({"ALL_PROXY": PROXY}, "ALL_PROXY"),
    ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, "ALL_PROXY"),
    ({"HTTPS_PROXY": "proxy.test:3128"}, "HTTPS_PROXY"),
    ({"HTTPS_PROXY": f" {PROXY}/ "}, "HTTPS_PROXY"),
    ({"HTTPS_PROXY": "HTTP://proxy.test:3128"}, "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("environ", "variable"), NAMED)
def test_variable_that_names_it(environ: dict[str, str], variable: str) -> None:
    assert proxies.of(SERVER, environ) == proxies.Proxy(variable, PROXY)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTPS_PROXY": ""},
        {"HTTP_PROXY": PROXY},
        {"https_proxy": "", "HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY},
    ],
)
def test_no_proxy_at_all(environ: dict[str, str]) -> None:
    assert proxies.of(SERVER, environ) is None


@pytest.mark.parametrize(
    ("login", "encoded"),
    [
        ("me:pw", "Basic bWU6cHc="),
        ("me:p%40w%2F", "Basic bWU6cEB3Lw=="),
        ("me:p@w", "Basic bWU6cEB3"),
        ("me", "Basic bWU6"),
        ("m%C3%A9:%E2%82%AC", "Basic bcOpOuKCrA=="),
    ],
)
def test_login(login: str, encoded: str) -> None:
    found = proxies.of(SERVER, {"HTTPS_PROXY": f"http://{login}@proxy.test:3128"})
    assert found == proxies.Proxy("HTTPS_PROXY", PROXY, encoded)
    assert login not in repr(found)
    assert encoded not in repr(found)


BAD = [
    "http://me:hunter2@proxy.test:port",
    "http://me:hunter2@proxy.test:99999",
    "http://me:hunter2@proxy.test:0",
    "http://me:hunter2@",
    "http://me:hunter2@:3128",
    "http://me:hunter2@[::1",
    "http://me:hunter2@proxy..test",
    "http://me:hunter2@proxy.test/path",
    "http://me:hunter2@proxy.test?x",
    "http://me:hunter2@pro xy.test",
    "http://me:hunter2@proxy\\test",
    "http://me:hun/ter2@proxy.test:3128/hunter2",
    "http://me:hunter2%40proxy.test",
    "http://me:hunter2",
    "http://",
    "://hunter2",
    "hunter2:pw",
    "me:hunter2@proxy.test:port",
    "\x00http://hunter2",
    "http://hunter2\u200b.test",
    "ftp://me:hunter2@proxy.test",
    "socks5://me:hunter2@proxy.test:1080",
    "SOCKS5H://me:hunter2@proxy.test:1080",
    "http//hunter2:3128",
]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_bad_proxy_is_named_and_not_quoted(value: str, variable: str) -> None:
    with pytest.raises(ReconcilerError, match=variable) as caught:
        proxies.of(SERVER, {variable: value})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


EXEMPT = [
    ("https://evo.example.com", "evo.example.com"),
    ("https://evo.example.com", "example.com"),
    ("https://evo.example.com", ".example.com"),
    ("https://evo.example.com", "*.example.com"),
    ("https://a.evo.example.com", "*.example.com"),
    ("https://Evo.Example.com", "EVO.example.COM"),
    ("https://evo.example.com.", "evo.example.com"),
    ("https://evo.example.com", "evo.example.com."),
    ("https://evo.example.com", " a.test , evo.example.com "),
    ("https://evo.example.com", "a.test evo.example.com"),
    ("https://evo.example.com", ",,evo.example.com,"),
    ("https://evo.example.com", "*"),
    ("https://evo.example.com", "a.test,*"),
    ("https://evo.example.com", "evo.example.com:443"),
    ("https://evo.example.com:8080", "evo.example.com:8080"),
    ("http://evo.example.com", "evo.example.com:80"),
    ("https://evo.example.com:8080", "*.example.com:8080"),
    ("https://évo.example.com", "évo.example.com"),
    ("https://xn--vo-9ia.example.com", "évo.example.com"),
    ("https://10.1.2.3", "10.1.2.3"),
    ("https://10.1.2.3:8080", "10.1.2.3:8080"),
    ("https://10.1.2.3", "10.0.0.0/8"),
    ("https://10.1.2.3", "10.0.0.1/8"),
    ("https://10.1.2.3", "10.0.0.0/255.0.0.0"),
    ("https://192.168.7.7", "10.0.0.0/8,192.168.0.0/16"),
    ("https://[fd00::7]", "fd00::/8"),
    ("https://[fd00::7]", "[fd00::]/8"),
    ("https://[fd00::7]", "[fd00::7]"),
    ("https://[fd00::7]", "fd00:0:0::7"),
    ("https://[FD00::7]:8080", "[fd00::7]:8080"),
    ("https://[::ffff:10.1.2.3]", "10.0.0.0/8"),
    ("https://[::1]", ""),
    ("http://127.0.0.1", ""),
    ("http://localhost:8080", ""),
]

NOT_EXEMPT = [
    ("https://evo.example.com", ""),
    ("https://evo.example.com", "evo"),
    ("https://notexample.com", "example.com"),
    ("https://notexample.com", "*.example.com"),
    ("https://example.com", "evo.example.com"),
    ("https://evo.example.com:8080", "evo.example.com:80"),
    ("https://evo.example.com", "*:80"),
    ("https://evo.example.com", "10.0.0.0/8"),
    ("https://11.1.2.3", "10.0.0.0/8"),
    ("https://10.1.2.3", "10.0.0.0/33"),
    ("https://10.1.2.3", "10.1.2"),
    ("https://10.1.2.3", "2.3"),
    ("https://[fd00::7]", "fe00::/8"),
    ("https://[fd00::7]", "10.0.0.0/8"),
    ("https://[fd00::7]:1", "[fd00::7]:2"),
    ("https://evo.example.com", "."),
    ("https://evo.example.com", ":443"),
    ("https://evo.example.com", "[]"),
]


@pytest.mark.parametrize(("url", "listed"), EXEMPT)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_servers_that_no_proxy_has(url: str, listed: str, variable: str) -> None:
    assert proxies.of(url, {"ALL_PROXY": PROXY, variable: listed}) is None


@pytest.mark.parametrize(("url", "listed"), NOT_EXEMPT)
def test_servers_that_no_proxy_has_not(url: str, listed: str) -> None:
    assert proxies.of(url, {"ALL_PROXY": PROXY, "NO_PROXY": listed}) is not None
