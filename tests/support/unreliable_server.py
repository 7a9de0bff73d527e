"""A web server in a thread that misbehaves as it is told, and counts what it was asked for."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """Files by path, and how they are served.

    `breaks` says after how many bytes of a body the n-th request is cut off (None: never); `status` what it answers instead of the file.
    """

    files: dict[str, bytes]
    ranges: bool = True
    tag: str | None = '"one"'
    heeds_if_range: bool = True
    length: Callable[[int], int | None] = lambda size: size
    breaks: Callable[[int], int | None] = lambda request: None
    status: Callable[[int], int | None] = lambda request: None
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

        def do_GET(self):
            with site.lock:
                site.asked.append(self.headers.get("Range", "all"))
                number = len(site.asked)
            content = site.files.get(self.path)
            status = site.status(number) or (200 if content is not None else 404)
            if status >= 400 or content is None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, end = 0, len(content)
            wanted = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, site.tag) or not site.heeds_if_range
            if site.ranges and wanted and same:
                first, last = wanted.removeprefix("bytes=").split("-")
                start, end = int(first), min(int(last or len(content)) + 1, len(content))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
                said = end - start
            else:
                self.send_response(200)
                said = site.length(len(content))
            if site.tag:
                self.send_header("ETag", site.tag)
            if said is not None:
                self.send_header("Content-Length", str(said))
            self.send_header("Connection", "close")
            self.end_headers()
            if site.stalls(number):
                site.released.wait(20)
                return
            body = content[start:end][: site.breaks(number)]
            with site.lock:
                site.sent += len(body)
            self.wfile.write(body)
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
