"""Servers that will never send the file are reported at once; overloaded ones get their pause."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.data.fetch import download as module
from harness.errors import HarnessError, MissingError
from tests.data.downloads import CONTENT, SHA256, get, only_the_right_file
from tests.support.unreliable_server import Site, served

# A certificate that no system trusts, signed by its own key, which guards nothing.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgh4HPIIgsJ37moDIR
3GFlwf+f1qY+Njavqmn38DQBgdGhRANCAATFO5oy6/zgyuSdJuXXO/4xtHXuwOVy
44/THm8fr+zUCqJhp0InzAoh6HiLwbWpuR8jfj2NxgKqYhWYkq7ZlWas
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUdXWC6YQBJbWr9dNRcPRk8wZzQeAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNzA3NDQxMVoYDzIxMjYxMTAz
MDc0NDExWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATFO5oy6/zgyuSdJuXXO/4xtHXuwOVy44/THm8fr+zUCqJhp0InzAoh
6HiLwbWpuR8jfj2NxgKqYhWYkq7ZlWaso1MwUTAdBgNVHQ4EFgQUrD/YvPATy4k4
jt/Dtr+c/uwkRNswHwYDVR0jBBgwFoAUrD/YvPATy4k4jt/Dtr+c/uwkRNswDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBHIF38zZXL3kxaQp7k7dk6
txJrgJJixhtldbwBSnxjEQIhALOfnTHc3T7rH7791IKW4Mjhh8MaKVoUcMadayms
ToB4
-----END CERTIFICATE-----
"""


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
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error_at_once(site, tmp_path, pauses, target, reason):
    site.redirects["/here"] = target
    with pytest.raises(MissingError, match="here: cannot be fetched") as caught:
        get(site, tmp_path, path="/here")
    assert reason in str(caught.value) and "where the server redirects" in str(caught.value)
    assert pauses == [] and list(tmp_path.iterdir()) == []


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


def test_an_untrusted_server_is_not_asked_again(tmp_path, pauses):
    (tmp_path / "certificate.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem")
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
