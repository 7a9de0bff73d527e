"""Servers that will never send the file are reported at once; overloaded ones get their pause."""

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.data.fetch import download as module
from harness.errors import HarnessError, MissingError
from tests.data.downloads import CONTENT, SHA256, get, only_the_right_file
from tests.support.unreliable_server import Site, served


@pytest.fixture
def certificate(tmp_path_factory):
    """Make a certificate that no system trusts, signed by its own key: one file holds both."""
    if shutil.which("openssl") is None:
        pytest.skip("no command openssl, which makes the server's certificate")
    path = tmp_path_factory.mktemp("server") / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", path, "-out", path]
    subprocess.run(make, check=True, capture_output=True)
    return path


@pytest.fixture
def site():
    with served(Site({"/file": CONTENT})) as running:
        yield running


@pytest.fixture
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/here", "Exceeded 30 redirects"),
        ("file:///etc/passwd", "No connection adapters were found for 'file:///etc/passwd'"),
        ("http://[::1/x", "Invalid IPv6 URL"),
        (f"http://{'a' * 70}/", "label too long"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error_at_once(site, tmp_path, pauses, target, reason):
    site.redirects["/here"] = target
    with pytest.raises(MissingError, match="here: cannot be fetched") as caught:
        get(site, tmp_path, path="/here")
    assert reason in str(caught.value) and "where the server redirects" in str(caught.value)
    assert pauses == [] and list(tmp_path.iterdir()) == []


def test_an_error_of_the_code_is_not_called_a_bad_address(site, tmp_path, monkeypatch):
    def fail(number):
        raise ValueError("a fault of the harness")

    monkeypatch.setattr(module.os, "fsync", fail)
    with pytest.raises(ValueError, match="a fault of the harness"):
        get(site, tmp_path)


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_asks_to_wait_is_given_the_time(site, tmp_path, pauses, code):
    site.status = lambda request: code if request == 1 else None
    site.refusal = {"Retry-After": "7"}
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert pauses == [7.0]


def test_a_day_to_wait_until_is_understood(site, tmp_path, pauses):
    site.status = lambda request: 429
    site.refusal = {"Retry-After": "Fri, 31 Dec 2099 23:59:59 GMT"}
    with pytest.raises(HarnessError, match=r"429 .* and asks to wait [0-9,]+ s; run the same"):
        get(site, tmp_path)
    assert pauses == [] and len(site.asked) == 1  # longer than a download waits


@pytest.mark.parametrize("text", ["soon", "-1", "", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_pause_that_is_none_leaves_the_usual_one(site, tmp_path, pauses, text):
    site.status = lambda request: 429 if request == 1 else None
    site.refusal = {"Retry-After": text}
    get(site, tmp_path, sha256=SHA256)
    assert pauses == [0.001]


def test_an_untrusted_server_is_not_asked_again(certificate, tmp_path, pauses):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        with pytest.raises(HarnessError, match=r"is not trusted (?=.self-signed certificate)"):
            get(Site({}, url=f"https://127.0.0.1:{server.server_port}"), tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert pauses == []
