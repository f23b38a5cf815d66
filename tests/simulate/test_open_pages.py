"""A simulated page that looks on asks for what a real one asks for, and nothing more."""

from __future__ import annotations

from contextlib import contextmanager

from kerp.simulate.onlooker import REFRESH_S, Onlooker


class Server:
    """Plays what a server would send; counts what it is asked."""

    def __init__(self, *streams):
        self.streams, self.opened, self.asked, self.now = list(streams), [], [], 0.0

    @contextmanager
    def stream(self, path):
        self.opened.append(path)
        yield self._lines(self.streams.pop(0))

    def _lines(self, lines):
        for line in lines:
            if line is None:
                raise ConnectionResetError
            self.now += 1.0
            yield line

    def get(self, path):
        self.asked.append((self.now, path))

    def pause(self, seconds):
        self.now += seconds


def followed(*streams):
    server = Server(*streams)
    page = Onlooker(server, "/api/sessions/x/dosing-1/", lambda: not server.streams, lambda: server.now)
    page.look_on()
    return server, page


def test_a_page_asks_how_the_session_stands_when_entries_have_come():
    server, page = followed([b"id: 7\n", b"event: entries\n", b"data: {}\n"], [])
    assert [path for _, path in server.asked] == ["/api/sessions/x/dosing-1/status"] * len(page.looks)
    assert len(page.looks) == 2  # when it was opened, and when entries came
    assert server.opened[1].endswith("stream?since=7")


def test_a_page_asks_again_every_five_seconds_though_nothing_came():
    server, page = followed([b"event: beat\n"] * 20, [])
    between = [later - before for (before, _), (later, _) in zip(server.asked, server.asked[1:], strict=False)]
    assert between == [REFRESH_S + 1] * 3
    assert page.broken == 0


def test_a_stream_that_breaks_off_is_counted_and_opened_again_where_it_stopped():
    server, page = followed([b"id: 3\n", None], [b"id: 4\n"], [])
    assert page.broken == 1
    assert server.opened[1].endswith("since=3")
