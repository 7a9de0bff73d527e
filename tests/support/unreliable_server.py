"""A web server in a thread that misbehaves on demand and records the requests."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """Files by path, and how they are served.

    `breaks` returns after how many bytes of a body the n-th request (from 1) is cut off, None for
    never; `stalls` whether it then falls silent instead of closing; `status` the answer in place of
    the file, `refusal` its headers; `redirects` maps a path to another, or to an address. `asked`
    records the Range of each request.
    """

    files: dict[str, bytes]
    ranges: bool = True
    tag: str | None = '"one"'
    modified: str | None = None
    heeds_if_range: bool = True
    parts_have_tag: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    length: Callable[[int], int | None] = lambda size: size
    breaks: Callable[[int], int | None] = lambda request: None
    status: Callable[[int], int | None] = lambda request: None
    refusal: dict[str, str] = field(default_factory=dict)
    stalls: Callable[[int], bool] = lambda request: False
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def served(site: Site):
    """Serve a site until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def without_body(self, status, **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            if self.path in site.redirects:
                target = site.redirects[self.path]
                here = site.url if target.startswith("/") else ""
                self.without_body(302, Location=f"{here}{target}")
                return
            with site.lock:
                site.asked.append(self.headers.get("Range", "all"))
                number = len(site.asked)
            content = site.files.get(self.path)
            status = site.status(number) or (200 if content is not None else 404)
            if status >= 400 or content is None:
                self.without_body(status, **site.refusal)
                return
            start, end = 0, len(content)
            wanted = self.headers.get("Range")
            condition = self.headers.get("If-Range")
            same = condition in (None, site.tag, site.modified) or not site.heeds_if_range
            if site.ranges and wanted and same:
                first, last = wanted.removeprefix("bytes=").split("-")
                start, end = int(first), min(int(last or len(content)) + 1, len(content))
                if start >= len(content):
                    self.without_body(416, Content_Range=f"bytes */{len(content)}")
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            else:
                self.send_response(200)
            announced = site.length(end - start)
            if site.tag and (start == 0 or site.parts_have_tag):
                self.send_header("ETag", site.tag)
            if site.modified:
                self.send_header("Last-Modified", site.modified)
            if announced is not None:
                self.send_header("Content-Length", str(announced))
            self.send_header("Connection", "close")
            self.end_headers()
            stalls, cut = site.stalls(number), site.breaks(number)
            body = content[start:end][: 0 if stalls and cut is None else cut]
            with site.lock:
                site.sent += len(body)
            self.wfile.write(body)
            if stalls:
                site.released.wait(20)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
