"""HTTP/1.1 read in its strictest form, by nobody's code but this: what it does not understand is malformed.

It knows what one hop may write to the next. Fields that concern one connection only (RFC 9110 section 7.6.1), two
lengths, a trailer that changes its message (section 6.5.1) are as malformed as a bare LF.
"""

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!\"$-~]+) HTTP/1\.1")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*")
HOST = re.compile(rb"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9\-._~]+)(?::[0-9]{0,5})?")
ONE_HOP = {b"keep-alive", b"proxy-connection", b"te", b"http2-settings", b"proxy-authorization"}
NOT_IN_TRAILERS = ONE_HOP | {
    b"connection", b"content-length", b"transfer-encoding", b"host", b"upgrade", b"trailer", b"authorization",
    b"cookie", b"set-cookie", b"cache-control", b"expect", b"max-forwards", b"content-encoding", b"content-type",
    b"content-range", b"range"}


class Malformed(Exception):
    """These bytes are no message."""


class Incomplete(Exception):
    """The message is not over."""


class Message:
    def __init__(self):
        self.method = self.target = None
        self.status = None
        self.fields = []
        self.trailers = []
        self.body = b""

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def options(self):
        """What Connection says, in lower case."""
        return [part.strip().lower() for value in self.all(b"connection") for part in value.split(b",")]


def malformed_if(condition, what, shown=b""):
    if condition:
        raise Malformed(f"{what} {bytes(shown[:120])!r}".strip())


class Reader:
    """Messages, one after the other, from the bytes of one direction that have come so far."""

    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def rest(self):
        return self.data[self.at:]

    def line(self):
        end = self.data.find(b"\n", self.at)
        line = self.data[self.at:end if end >= 0 else len(self.data)]
        malformed_if(b"\r" in line[:-1], "bare CR", line)
        if end < 0:
            raise Incomplete
        malformed_if(not line.endswith(b"\r"), "bare LF", line)
        self.at = end + 1
        return line[:-1]

    def exactly(self, size):
        if len(self.data) - self.at < size:
            raise Incomplete
        self.at += size
        return self.data[self.at - size:self.at]

    def field_lines(self):
        fields = []
        while line := self.line():
            found = FIELD_LINE.fullmatch(line)
            malformed_if(not found, "field line", line)
            fields.append((found[1].lower(), found[2]))
        return fields

    def length(self, message):
        """None, "chunked" or a number of bytes."""
        lengths, codings = message.all(b"content-length"), message.all(b"transfer-encoding")
        malformed_if(len(lengths) + len(codings) > 1, "more than one length", repr(message.fields).encode())
        malformed_if(codings and codings[0] != b"chunked", "coding", b"".join(codings))
        malformed_if(lengths and not re.fullmatch(rb"[0-9]{1,19}", lengths[0]), "length", b"".join(lengths))
        return "chunked" if codings else int(lengths[0]) if lengths else None

    def chunks(self, message):
        body = bytearray()
        while True:
            line = self.line()
            malformed_if(not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line), "chunk line", line)
            size = int(line, 16)
            if size == 0:
                break
            body += self.exactly(size)
            malformed_if(self.exactly(2) != b"\r\n", "end of a chunk")
        message.trailers = self.field_lines()
        for name, _ in message.trailers:
            malformed_if(name in NOT_IN_TRAILERS, "trailer", name)
        return bytes(body)

    def check_hop(self, message):
        for name, _ in message.fields:
            malformed_if(name in ONE_HOP, "field of another hop", name)
        unknown = set(message.options()) - {b"close", b"keep-alive", b"upgrade", b""}
        malformed_if(unknown, "connection option", repr(unknown).encode())
        malformed_if((b"upgrade" in message.options()) != bool(message.all(b"upgrade")), "half an upgrade")

    def head(self, start):
        """(match of the first line, message with its fields). Nothing is consumed of a head that is incomplete."""
        began = self.at
        try:
            line = self.line()
            found = start.fullmatch(line)
            malformed_if(not found, "first line", line)
            message = Message()
            message.fields = self.field_lines()
        except Incomplete:
            self.at = began
            raise
        self.check_hop(message)
        return found, message

    def request(self):
        began = self.at
        found, message = self.head(REQUEST_LINE)
        message.method, message.target = found[1].decode(), found[2].decode()
        hosts = message.all(b"host")
        malformed_if(len(hosts) != 1, f"{len(hosts)} hosts")
        malformed_if(hosts[0] and not HOST.fullmatch(hosts[0]), "host", hosts[0])
        try:
            length = self.length(message)
            message.body = self.chunks(message) if length == "chunked" else self.exactly(length or 0)
        except Incomplete:
            self.at = began
            raise
        return message

    def response(self, method_of, is_over):
        """method_of(message) says what the response answers; is_over: no more bytes will come."""
        began = self.at
        found, message = self.head(STATUS_LINE)
        message.status = int(found[1])
        length = self.length(message)
        if message.status < 200 or message.status == 204:
            malformed_if(length is not None, "a length without a body")
            return message
        if message.status == 304 or method_of(message) == "HEAD":
            return message
        try:
            if length == "chunked":
                message.body = self.chunks(message)
            elif length is None:
                malformed_if(b"close" not in message.options(), "a body without an end")
                if not is_over:
                    raise Incomplete
                message.body = self.exactly(len(self.data) - self.at)
            else:
                message.body = self.exactly(length)
        except Incomplete:
            self.at = began
            raise
        return message
