"""Speak HTTP with a server that may break off, stall, ignore ranges or change its mind."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from harness.errors import MissingError, UsageError

BLOCK = 256 * 1024  # bytes read at a time
FOR_NOW = frozenset(
    {408, 425, 429}
)  # refusals that a later try may not meet; so are all from 500 up
BEYOND = 416  # the range asked for lies beyond the end


class Interrupted(Exception):
    """The connection broke off or stalled, or the server refuses for now: worth another try."""


class Changed(Exception):
    """The server has another file than when we began: what came so far is worth nothing."""


@dataclass(frozen=True)
class Announced:
    """What a server says of a file: its size in bytes, what tells this version of it from others, and whether it sends parts."""

    total: int | None
    tag: str | None
    ranges: bool


def announce(url: str, *, timeout: float) -> Announced:
    """Ask for the first byte only. Raises MissingError for a refusal, Interrupted where another try may help."""
    with _opened(url, {"Range": "bytes=0-0"}, timeout) as response:
        if response.status == 206:
            _, total = _content_range(response)
            return Announced(total, _tag(response), ranges=total is not None)
        return Announced(_length(response), _tag(response), ranges=False)


def read_range(url: str, start: int, end: int, *, of: Announced, timeout: float) -> Iterator[bytes]:
    """Yield the bytes from `start` up to `end` (not included). Raises Changed where the server no longer has the file that it announced."""
    headers = {"Range": f"bytes={start}-{end - 1}"} | ({"If-Range": of.tag} if of.tag else {})
    with _opened(url, headers, timeout) as response:
        # Not every server heeds If-Range, and one that does may leave the date out of its answer.
        if (
            response.status != 206
            or _content_range(response) != (start, of.total)
            or _tag(response) not in (None, of.tag)
        ):
            raise Changed
        yield from _blocks(response, end - start)


def read_all(url: str, *, timeout: float) -> Iterator[bytes]:
    """Yield a file from its beginning, and raise Interrupted where it ends before the length that its server gives."""
    with _opened(url, {}, timeout) as response:
        yield from _blocks(response, _length(response))


def _opened(url: str, headers: Mapping[str, str], timeout: float) -> Any:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url}: only http and https are fetched")
    request = Request(
        url, headers={"User-Agent": "xvlm-eval", "Accept-Encoding": "identity", **headers}
    )
    try:
        return urlopen(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == BEYOND:
            raise Changed from error
        if error.code in FOR_NOW or error.code >= 500:
            raise Interrupted(f"the server answers {error.code} {error.reason}") from error
        raise MissingError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (URLError, HTTPException, OSError) as error:
        raise Interrupted(_reason(error)) from error


def _blocks(response: HTTPResponse, length: int | None) -> Iterator[bytes]:
    """Yield what comes, `length` bytes at most; where the length is known, raise Interrupted if less comes."""
    came = 0
    while length is None or came < length:
        try:
            block = response.read1(BLOCK if length is None else min(BLOCK, length - came))
        except (HTTPException, OSError, ValueError) as error:  # ValueError: a broken chunk
            raise Interrupted(_reason(error)) from error
        if not block:
            if length is None:
                return
            raise Interrupted(f"the connection ended {length - came} bytes early")
        came += len(block)
        yield block


def _content_range(response: HTTPResponse) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else (None, None)


def _length(response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _tag(response: HTTPResponse) -> str | None:
    """Return what identifies a version byte for byte: a strong ETag, else the date of the last change."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        "the server does not answer"
        if isinstance(reason, TimeoutError)
        else str(reason) or type(reason).__name__
    )
