"""Download one file over HTTP: resumable, verified, and placed only when it is whole.

The bytes received lie in `<target>.partial`; `<target>.partial.json` notes the version of the file
that they belong to. A later call resumes if the server still has that version (`Range` with
`If-Range`, RFC 9110), and starts over if it does not.
"""

import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from harness.callbacks import Report
from harness.data.fetch.responses import (
    PERMANENT,
    describe_cause,
    request,
    retry_after,
    root_of,
    validator_of,
)
from harness.data.published import digest_of
from harness.errors import DataError, HarnessError, MissingError, UsageError
from harness.files.atomic import write_json
from harness.files.parsing import read_json

BLOCK = 2**14  # bytes written at a time; a broken connection costs at most one block
LONGEST_PAUSE = 30.0  # seconds
LONGEST_WAIT = 300.0  # seconds that a server may ask for; a download does not wait longer
TEMPORARY = frozenset({408, 425, 429})  # refusals worth a retry, as are all from 500 up


class _Overloaded(requests.ConnectionError):
    """A temporary refusal; `wait` is the pause in seconds that the server asks for, or 0."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class RetryPolicy:
    """When an attempt ends, and after how many failures a download is given up.

    `timeout` is the longest silence of the server, `pause` the wait after the first failure; both
    are in seconds, and the wait doubles with each further failure, unless the server asks for a
    longer one (`Retry-After`). `attempts` bounds the failures in a row that bring no new bytes.
    """

    timeout: float = 60.0
    attempts: int = 6
    pause: float = 1.0


def download(
    url: str,
    target: Path,
    *,
    size: int | None,
    sha256: str | None,
    retry: RetryPolicy,
    report: Report,
) -> None:
    """Write the file at `url` to `target`, resuming an earlier call that was interrupted.

    `size` in bytes and `sha256` are the published values, None if unpublished. Raises
    MissingError if the server refuses, DataError for another file than the published one (nothing
    of it is kept), HarnessError if the connection cannot be kept up (the bytes received are).
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url}: only http and https are fetched")
    partial = _Partial(url, target.with_name(f"{target.name}.partial"), size, sha256)
    failures, furthest = 0, partial.received
    try:
        while True:
            try:
                partial.transfer(timeout=retry.timeout, report=report)
                break
            except PERMANENT as error:
                raise MissingError(
                    f"{url}: cannot be fetched ({describe_cause(error)}); "
                    "check the network, its proxy, and where the server redirects to"
                ) from error
            except requests.RequestException as error:
                failures = 1 if partial.received > furthest else failures + 1
                furthest = max(furthest, partial.received)
                if isinstance(root_of(error), ssl.SSLCertVerificationError):
                    raise HarnessError(
                        f"{url}: the server is not trusted ({describe_cause(error)}); where a "
                        "proxy inspects connections, name its certificate by REQUESTS_CA_BUNDLE"
                    ) from error
                wait = getattr(error, "wait", 0.0)
                if failures >= retry.attempts or wait > LONGEST_WAIT:
                    raise HarnessError(
                        f"{url}: {describe_cause(error)}; {partial.remedy}"
                    ) from error
                time.sleep(max(wait, min(retry.pause * 2 ** (failures - 1), LONGEST_PAUSE)))
        partial.verify()
        partial.path.replace(target)
        partial.note.unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(
            f"{target}: cannot be written ({error.strerror}); {partial.remedy}"
        ) from error


@dataclass(frozen=True)
class _Partial:
    """A file that is being received at `path`; `size` and `sha256` are the published values."""

    url: str
    path: Path
    size: int | None
    sha256: str | None

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def received(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def remedy(self) -> str:
        """What to do after a failure: bytes that were received are kept."""
        kept = "the bytes received are kept, " if self.received else ""
        return f"{kept}run the same command to {'resume' if kept else 'try again'}"

    def transfer(self, *, timeout: float, report: Report) -> None:
        """Request the missing bytes and append them. Raises RequestException if a retry may help.

        A server that still has the noted version sends the rest (206), any other the whole file.
        """
        version = self._noted_version()
        received = self.received if version else 0
        if version and received == version["bytes"]:
            return
        headers = {"User-Agent": "xvlm-eval", "Accept-Encoding": "identity"}
        if received:
            headers |= {"Range": f"bytes={received}-", "If-Range": version["tag"]}
        with request(self.url, headers, timeout) as response:
            self._refuse(response)
            if response.status_code == 200:
                received, total = 0, self._begin(response)
            else:
                total = self._resume(response, received, version)
            with self.path.open("ab" if received else "wb") as file:
                for block in response.iter_content(BLOCK):
                    file.write(block)
                    received += len(block)
                    report(received, total or received)
                    if self.size is not None and received > self.size:
                        break
                file.flush()
                os.fsync(file.fileno())
        if total not in (None, received):
            raise requests.ConnectionError(f"{received:,} of {total:,} bytes arrived")

    def verify(self) -> None:
        """Delete the file and raise DataError if it is not the published one."""
        problem = None
        if self.size not in (None, self.received):
            problem = f"{self.received:,} bytes, the published file has {self.size:,}"
        elif self.sha256 not in (None, digest := digest_of(self.path, "sha256")):
            problem = f"a file with sha256 {digest}, published is {self.sha256}"
        if problem:
            self.path.unlink()
            self.note.unlink(missing_ok=True)
            raise DataError(f"{self.url}: sent {problem}; the bytes received were deleted")

    def _noted_version(self) -> dict[str, Any]:
        """Return the version that the bytes received belong to; empty if the note proves none."""
        try:
            note: dict[str, Any] = read_json(self.note)
            sound = note["url"] == self.url and note["tag"] and self.received <= note["bytes"]
        except (DataError, KeyError, TypeError):
            return {}
        return note if sound else {}

    def _refuse(self, response: requests.Response) -> None:
        """Raise an error unless the response has the file, its rest, or another version (416)."""
        code, status = response.status_code, f"{response.status_code} {response.reason}"
        if code in TEMPORARY or code >= 500:
            wait = retry_after(response)
            when = f" and asks to wait {wait:,.0f} s" if wait else ""
            raise _Overloaded(f"the server answers {status}{when}", wait)
        if code not in (200, 206, 416):
            raise MissingError(f"{self.url}: the server answers {status}")

    def _begin(self, response: requests.Response) -> int | None:
        """Note the version that the server sends; returns its size, None if it is not announced."""
        length, tag = response.headers.get("Content-Length", ""), validator_of(response)
        total = int(length) if length.isdecimal() else None
        if total is None and self.size is None and self.sha256 is None:
            raise DataError(
                f"{self.url}: the server does not announce the length of the file, "
                "and nothing is published to verify it by"
            )
        if total is not None and self.size not in (None, total):
            raise DataError(
                f"{self.url}: the server has {total:,} bytes, the published file {self.size:,}; "
                "nothing was fetched"
            )
        self.note.unlink(missing_ok=True)
        if total is not None and tag is not None:
            write_json(self.note, {"url": self.url, "bytes": total, "tag": tag})
        return total

    def _resume(self, response: requests.Response, start: int, version: dict[str, Any]) -> int:
        """Return the size of the file if the response has the rest of the noted version."""
        total, tag = version.get("bytes", 0), validator_of(response)
        rest = f"bytes {start}-{total - 1}/{total}"
        # Not every server heeds If-Range, and one that does may leave out the validator.
        if response.headers.get("Content-Range") != rest or tag not in (None, version["tag"]):
            self.note.unlink(missing_ok=True)
            raise requests.ConnectionError("the file changes while it is fetched")
        return int(total)
