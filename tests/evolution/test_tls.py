"""Files that the TLS library reads because the environment names them, and a server's certificate."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.domain.errors import ReconcilerError, ServerError
from reconciler.evolution import tls
from reconciler.evolution.client import Client, Server
from reconciler.evolution.gets import Gets, Unread
from tests.evolution.scripted import KEY, reply, serving

Made = Callable[[str], tuple[Path, Path]]


@pytest.fixture
def certificate(tmp_path: Path) -> Made:
    """Makes a certificate for a name or an address that nobody signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")

    def make(name: str) -> tuple[Path, Path]:
        pem, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        command = (
            f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            f"-subj /CN=test -addext subjectAltName={name} -keyout {key} -out {pem}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        return pem, key

    return make


def serves(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server with this certificate has."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def find(certificate: tuple[Path, Path]) -> object:
    """What comes of a read from a server with this certificate."""
    context = serves(certificate)

    async def ask() -> object:
        async with serving(reply(200, []), tls=context) as spy, Client(Server(spy.url, KEY)) as client:
            try:
                return await client.find("loja")
            except ServerError as error:
                return str(error)

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(variable, raising=False)


def test_authority_of_ones_own(certificate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    own = certificate("IP:127.0.0.1")
    said = find(own)
    assert isinstance(said, str)
    assert "is not trusted (self-signed certificate)" in said
    assert said.endswith("If your own authority signed it, set SSL_CERT_FILE to its certificate, a PEM file.")
    monkeypatch.setenv("SSL_CERT_FILE", str(own[0]))
    assert find(own) == ()
    other = certificate("IP:127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(other[0]))
    said = find(own)
    assert isinstance(said, str)
    assert said.endswith("Only the authorities of SSL_CERT_FILE are trusted: add the one that signed it.")


def test_what_reads_ahead_trusts_the_same(certificate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = certificate("IP:127.0.0.1"), certificate("IP:127.0.0.2")

    async def ask() -> list[object]:
        async with serving(reply(200, []), tls=serves(own)) as spy:
            gets = Gets(spy.url, {}, 30)
            found = await asyncio.gather(*(gets.get("/x") for _ in range(3)))
            gets.close()
            return [*found, spy.connections]

    for trusted in (None, other[0]):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with pytest.raises(Unread):
            asyncio.run(ask())
    monkeypatch.setenv("SSL_CERT_FILE", str(own[0]))
    assert asyncio.run(ask()) == [(200, b"[]")] * 3 + [3]


def test_directory_of_authorities(certificate: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = certificate("IP:127.0.0.1")
    directory = tmp_path / "authorities"
    directory.mkdir()
    shutil.copy(own[0], directory)
    subprocess.run(["openssl", "rehash", str(directory)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'missing'}{os.pathsep}{directory}")
    assert find(own) == ()


def test_certificate_for_another_name(certificate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    other = certificate("DNS:other.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(other[0]))
    said = find(other)
    assert isinstance(said, str)
    assert "is not trusted (" in said
    assert said.endswith("Check its URL.")


def _fill(directory: Path) -> dict[str, Path]:
    """Paths of every kind that are no certificates."""
    (directory / "empty.pem").write_bytes(b"")
    (directory / "text.pem").write_bytes(b"no certificate")
    (directory / "half.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (directory / "binary.pem").write_bytes(bytes(range(256)) * 100)
    (directory / "folder").mkdir()
    os.mkfifo(directory / "pipe")
    (directory / "loop").symlink_to(directory / "loop")
    names = ["empty.pem", "text.pem", "half.pem", "binary.pem", "folder", "pipe", "loop", "missing.pem"]
    found = {name: directory / name for name in names}
    return {**found, "below a file": directory / "text.pem" / "x", "a device": Path("/dev/zero")}


KINDS = [
    *("empty.pem", "text.pem", "half.pem", "binary.pem", "folder", "pipe", "loop", "missing.pem"),
    *("below a file", "a device"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_that_are_none(tmp_path: Path, variable: str, kind: str) -> None:
    path = str(_fill(tmp_path)[kind])
    with pytest.raises(ReconcilerError) as caught:
        tls.context({variable: path})
    assert str(caught.value).startswith(f"{variable} names {path}, which ")


@pytest.mark.parametrize("path", ["\0", "x" * 5000])
@pytest.mark.parametrize(
    ("variable", "read"),
    [("SSL_CERT_FILE", tls.context), ("SSL_CERT_DIR", tls.context), ("SSLKEYLOGFILE", tls.check)],
)
def test_what_is_no_path(variable: str, read: Callable[[dict[str, str]], object], path: str) -> None:
    with pytest.raises(ReconcilerError, match=variable):
        read({variable: path})


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "below a file", "missing/x"])
def test_log_that_cannot_be_written(tmp_path: Path, kind: str) -> None:
    path = str({**_fill(tmp_path), "missing/x": tmp_path / "missing" / "x"}[kind])
    with pytest.raises(ReconcilerError) as caught:
        tls.check({"SSLKEYLOGFILE": path})
    assert str(caught.value).startswith(f"SSLKEYLOGFILE names {path}, which cannot be written: ")


def test_nothing_named_is_certifi() -> None:
    assert tls.context({}).cert_store_stats()["x509_ca"] > 50
