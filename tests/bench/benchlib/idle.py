"""Clients that send one request each and then stay, silent."""

import contextlib
import re
import select
import socket

SECONDS_MAX = 5
HEAD_END = b"\r\n\r\n"


class Clients:
    """Keep-alive connections to one port, open as long as the context lasts."""

    def __init__(self, port, scenario):
        self.port = port
        lines = [f"GET {scenario['path']} HTTP/1.1", "Host: bench", *scenario.get("headers", [])]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.connections = []
        self.wanted = self.opened = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def open(self, count):
        """One after the other, so that a proxy that shares its upstream connections needs one only. Ends at
        the first that is refused or is not answered."""
        self.wanted += count
        with contextlib.suppress(OSError):
            for _ in range(count):
                connection = socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX)
                self.connections.append(connection)
                connection.sendall(self.request)
                if not read_good_answer(connection):
                    return
                self.opened += 1

    def errors(self):
        """{"connect": how many are missing, "closed": how many the other side has closed}, none of them 0."""
        poll = select.poll()
        for connection in self.connections[: self.opened]:
            poll.register(connection, select.POLLIN)
        counts = {"connect": self.wanted - self.opened, "closed": len(poll.poll(0))}
        return {name: count for name, count in counts.items() if count}


def read_good_answer(connection):
    """True after the last byte of a 200 that has a Content-Length."""
    answer = b""
    length = None
    while length is None or len(answer) < length:
        piece = connection.recv(1 << 16)
        if not piece:
            return False
        answer += piece
        if length is None and HEAD_END in answer:
            head, _, _ = answer.partition(HEAD_END)
            body_bytes = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            if not body_bytes or b" 200 " not in head.partition(b"\r\n")[0]:
                return False
            length = len(head) + len(HEAD_END) + int(body_bytes[1])
    return len(answer) == length
