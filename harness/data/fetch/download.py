"""Get one file over HTTP: over several connections, through interruptions, and into its place only when it is whole and right."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import TypeVar

from harness.callbacks import Report
from harness.data.fetch.http import Announced, Changed, Interrupted, announce, read_all, read_range
from harness.data.fetch.partial import Partial, discard
from harness.errors import DataError, HarnessError
from harness.formats.folder import sha256_of

LONGEST_PAUSE = 30.0  # seconds
T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """How to get a file: `piece` bytes a request, so long a silence (`timeout`, seconds), so many tries in a row that bring nothing.

    The first pause between two tries is of `pause` seconds, each further one twice as long.
    """

    connections: int = 4
    piece: int = 16 * 2**20
    timeout: float = 60.0
    attempts: int = 6
    pause: float = 1.0


def download(
    url: str, target: Path, *, size: int | None, sha256: str | None, pace: Pace, report: Report
) -> None:
    """Write what is at `url` to `target`, going on with what an earlier sitting left in `<target>.partial`.

    `size` and `sha256` are those published, None where they are not. Raises MissingError for a refusal, DataError for a file that is not
    the published one (nothing of it is kept), HarnessError where the connection cannot be kept up (what came so far is).
    """
    partial = target.with_name(f"{target.name}.partial")
    for _ in range(pace.attempts):
        announced = _persist(lambda: announce(url, timeout=pace.timeout), url, pace, Event())
        if size is not None and announced.total not in (None, size):
            raise DataError(
                f"{url}: the server has {announced.total:,} bytes, the published file {size:,}; nothing was fetched"
            )
        try:
            if announced.ranges:
                _in_pieces(url, partial, announced, pace, report)
            else:
                _as_a_whole(
                    url,
                    partial,
                    announced,
                    pace,
                    report,
                    verifiable=sha256 is not None or size is not None,
                )
            break
        except Changed:
            discard(partial)
    else:
        raise HarnessError(
            f"{url}: the file changes on the server while it is fetched; try again later"
        )
    _check(url, partial, size=size, sha256=sha256)
    try:
        partial.replace(target)
    except OSError as error:
        raise HarnessError(
            f"{target}: cannot be written ({error.strerror}); the whole file is in {partial}"
        ) from error
    discard(partial)


def _in_pieces(url: str, path: Path, announced: Announced, pace: Pace, report: Report) -> None:
    """Get what is missing, several pieces at a time."""
    stop, lock, total = Event(), Lock(), announced.total or 0
    with Partial(path, url=url, total=total, tag=announced.tag, piece=pace.piece) as partial:
        report(partial.there, total)

        def get(start: int, end: int) -> None:
            def once() -> None:
                begin = start + partial.written(start)
                if begin == end:
                    return
                for block in read_range(url, begin, end, of=announced, timeout=pace.timeout):
                    if stop.is_set():
                        return
                    partial.write(start, block)
                    with lock:
                        report(partial.there, total)

            _persist(once, url, pace, stop, progress=lambda: partial.written(start))
            partial.save()

        with ThreadPoolExecutor(pace.connections) as pool:
            try:
                for piece in as_completed(
                    [pool.submit(get, start, end) for start, end in partial.pieces()]
                ):
                    piece.result()
            except (
                BaseException
            ):  # also when interrupted: the other connections have to end for the pool to
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise


def _as_a_whole(
    url: str, path: Path, announced: Announced, pace: Pace, report: Report, *, verifiable: bool
) -> None:
    """Get a file from a server that sends no parts: after an interruption, from the beginning."""
    if announced.total is None and not verifiable:
        raise DataError(
            f"{url}: the server does not say how long the file is, and nothing is published to check it by"
        )
    discard(path)

    def once() -> None:
        came = 0
        with path.open("wb") as file:
            for block in read_all(url, timeout=pace.timeout):
                file.write(block)
                came += len(block)
                report(came, announced.total or came)

    try:
        _persist(once, url, pace, Event())
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written ({error.strerror})") from error


def _persist(
    action: Callable[[], T],
    url: str,
    pace: Pace,
    stop: Event,
    *,
    progress: Callable[[], int] = lambda: 0,
) -> T:
    """Try until an action succeeds; tries that bring something forward do not count."""
    failures, reached = 0, progress()
    while True:
        try:
            return action()
        except Interrupted as error:
            failures = 1 if progress() > reached else failures + 1
            reached = progress()
            if failures >= pace.attempts or stop.is_set():
                raise HarnessError(
                    f"{url}: {error}; what came so far is kept, run the same command to go on"
                ) from error
            stop.wait(min(pace.pause * 2 ** (failures - 1), LONGEST_PAUSE))


def _check(url: str, path: Path, *, size: int | None, sha256: str | None) -> None:
    found = path.stat().st_size
    if size is not None and found != size:
        discard(path)
        raise DataError(
            f"{url}: sent {found:,} bytes, the published file has {size:,}; what came was deleted"
        )
    if sha256 is not None and (hashed := sha256_of(path)) != sha256:
        discard(path)
        raise DataError(
            f"{url}: sent a file with sha256 {hashed}, published is {sha256}; what came was deleted"
        )
