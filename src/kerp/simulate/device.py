"""A device of the study team: one signed-in account that talks to a running web application over HTTP.

It does what the bedside page does: the same addresses, the same cookies and tokens, the same id again after a lost
answer. Knows nothing of participants or protocols.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as made
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from kerp.base.errors import Fault, KerpError

ANSWER_WITHIN_S = 30.0
TRY_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)  # how long a device waits before it sends the same again
SESSIONS = "/api/sessions/"
SIGN_IN, PROVE = "/account/login/", "/account/reauthenticate/"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    data: Any = None
    page: str = ""

    def faults(self) -> list[Fault]:
        """What the server said was wrong."""
        held = self.data if isinstance(self.data, dict) else {}
        told = held.get("faults") or [{"message": held.get("error", f"the server answered {self.status}")}]
        return [_fault(one) for one in told]


def _fault(told: Mapping[str, Any]) -> Fault:
    message, field, found, allowed = (str(told.get(name) or "") for name in ("message", "field", "found", "allowed"))
    return Fault(message, field=field, found=found, allowed=allowed, ways_out=tuple(told.get("ways_out") or ()))


@dataclass
class Device:
    """One account at one server. `pause` waits (seconds).

    `took` collects when something was sent (`time.perf_counter`) and the seconds until it was acknowledged.
    """

    url: str
    username: str
    password: str
    pause: Callable[[float], None] = time.sleep
    took: list[tuple[float, float]] = made(default_factory=list)
    cookies: dict[str, str] = made(default_factory=dict)
    _line: threading.local = made(default_factory=threading.local)
    _door: threading.Lock = made(default_factory=threading.Lock)

    # --- who is there ---

    def sign_in(self) -> None:
        """Sign in by the form that people use; `KerpError` where the server does not know this account."""
        with self._door:
            self.cookies.clear()
            self._exchange("GET", SIGN_IN)
            form = self._form({"login": self.username, "password": self.password})
            answer = self._exchange("POST", SIGN_IN, form)
        if answer.status != 302:
            ways = ("start the server with `kerp serve --demo`", "--password")
            raise KerpError(Fault("the server refused this account", found=self.username, ways_out=ways))

    def prove(self) -> None:
        """Prove again who signs."""
        with self._door:
            self._exchange("GET", PROVE)
            self._exchange("POST", PROVE, self._form({"password": self.password}))

    def submit(self, path: str, values: dict[str, str]) -> None:
        """Fill in the form of a page and send it, hidden fields as they came; `KerpError` where it is not taken."""
        hidden = _hidden(self._exchange("GET", path).page)
        answer = self._exchange("POST", path, self._form(hidden | values))
        if answer.status != 302:
            raise KerpError(Fault("the server did not take this form", where=path, found=str(answer.status)))

    def _form(self, values: dict[str, str]) -> bytes:
        return urlencode(values | {"csrfmiddlewaretoken": self._token()}).encode()

    def _token(self) -> str:
        return next((value for name, value in self.cookies.items() if name.endswith("kerp-csrf")), "")

    # --- the interface for devices ---

    def get(self, path: str) -> Any:
        """What is at an address; `KerpError` with what the server said otherwise."""
        return self._asked("GET", path, None).data

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Send, and send the same again until the server has answered."""
        return self._asked("POST", path, json.dumps(body).encode())

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """The lines of a stream of events, on a line of its own, until the server ends it or the caller does."""
        line = self._new_line()
        try:
            line.request("GET", path, headers=self._headers() | {"Accept": "text/event-stream"})
            response = line.getresponse()
            if response.status != 200:
                raise http.client.HTTPException(f"the server answered {response.status}")
            yield iter(response.readline, b"")
        finally:
            line.close()

    def _asked(self, method: str, path: str, body: bytes | None) -> Answer:
        for wait_s in (*TRY_AGAIN_S, None):
            answer = self._tried(method, path, body)
            if answer is not None and answer.status == 401:
                self.sign_in()
                answer = self._tried(method, path, body)
            if answer is not None and answer.status < 500:
                if answer.status not in {200, 409}:
                    raise KerpError(*answer.faults())
                return answer
            if wait_s is not None:
                self.pause(wait_s)
        raise KerpError(Fault("the server does not answer", where=self.url, ways_out=("kerp serve --demo", "--url")))

    def _tried(self, method: str, path: str, body: bytes | None) -> Answer | None:
        """An answer, or None where the line is down."""
        begun = time.perf_counter()
        try:
            answer = self._exchange(method, path, body, json_body=True)
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return None
        if method == "POST" and path.startswith(SESSIONS):
            self.took.append((begun, time.perf_counter() - begun))
        return answer

    # --- the line ---

    def _exchange(self, method: str, path: str, body: bytes | None = None, *, json_body: bool = False) -> Answer:
        line = self._connection()
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = "application/json" if json_body else "application/x-www-form-urlencoded"
            headers["X-CSRFToken"] = self._token()
            headers["Referer"] = self.url + path
        try:
            line.request(method, path, body, headers)
            response = line.getresponse()
        except (ConnectionError, http.client.HTTPException):  # the server closed an idle line: once more
            self._hang_up()
            line = self._connection()
            line.request(method, path, body, headers)
            response = line.getresponse()
        raw = response.read()
        self._keep_cookies(response)
        return _answer(response.status, raw, response.headers.get("Content-Type", ""))

    def _connection(self) -> http.client.HTTPConnection:
        held: http.client.HTTPConnection | None = getattr(self._line, "held", None)
        if held is None:
            held = self._line.held = self._new_line()
        return held

    def _new_line(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme != "https":
            return http.client.HTTPConnection(parts.netloc, timeout=ANSWER_WITHIN_S)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.netloc, timeout=ANSWER_WITHIN_S, context=context)

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _hang_up(self) -> None:
        held = getattr(self._line, "held", None)
        if held is not None:
            held.close()
        self._line.held = None

    def _keep_cookies(self, response: http.client.HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value


def _answer(status: int, raw: bytes, kind: str) -> Answer:
    if kind.startswith("text/html"):
        return Answer(status, page=raw.decode())
    if not kind.startswith("application/json"):
        return Answer(status)
    try:
        return Answer(status, json.loads(raw))
    except ValueError:
        return Answer(status)


class _HiddenFields(HTMLParser):
    """Collects the hidden fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag == "input" and held.get("type") == "hidden" and (name := held.get("name")):
            self.found[name] = held.get("value") or ""


def _hidden(page: str) -> dict[str, str]:
    reader = _HiddenFields()
    reader.feed(page)
    return reader.found
