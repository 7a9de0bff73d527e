"""What a server answers to a request, and why a request failed, in words."""

import time
from email.utils import parsedate_to_datetime

import requests

# Errors of addresses, which no retry mends.
PERMANENT = (
    requests.TooManyRedirects,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)


def request(url: str, headers: dict[str, str], timeout: float) -> requests.Response:
    """Return the response of a server. Raises RequestException where it sends none.

    Raises InvalidURL for a malformed address that it redirects to: a bare ValueError of `requests`.
    """
    try:
        return requests.get(url, headers=headers, stream=True, timeout=timeout)
    except ValueError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise requests.exceptions.InvalidURL(str(error)) from error


def validator_of(response: requests.Response) -> str | None:
    """Return what identifies a version byte for byte: a strong ETag, else the last change."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def retry_after(response: requests.Response) -> float:
    """Return the seconds that a server asks to wait (RFC 9110, 10.2.3), 0 where it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def root_of(error: BaseException) -> BaseException:
    """Return the first cause of a failed request; `requests` wraps it several times."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def describe_cause(error: BaseException) -> str:
    """Return the first cause of a failed request in words."""
    error = root_of(error)
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(expected := getattr(error, "expected", None), int):  # of IncompleteRead
        return f"the connection ended {expected:,} bytes early"
    text = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__
