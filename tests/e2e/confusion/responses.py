"""What an upstream may answer to be read in two ways. TRAP looks like an answer and answers nobody."""

from .cases import CRLF, EITHER, REFUSED, Table, chunked, lines, show

TABLE = Table()
MARK = b"TRAP"
TRAP = b"HTTP/1.1 200 OK\r\nX-Serial: 0\r\nContent-Length: 4\r\n\r\n" + MARK
LENGTH = b"Content-Length: %d"
CHUNKED = b"Transfer-Encoding: chunked"
OK = b"HTTP/1.1 200 OK"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

family = TABLE.family


def response(*fields, line=OK, body=b""):
    return line + CRLF + lines(*fields) + CRLF + body


def ok(**more):
    return response(LENGTH % 2, body=b"ok", **more)


def refused(name, raw, closes=True, **more):
    TABLE.add(name, raw, REFUSED, closes=closes, **more)


def either(name, raw, closes=True, **more):
    TABLE.add(name, raw, EITHER, closes=closes, **more)


def passes(name, raw, status=200, body=b"ok", closes=False, **more):
    TABLE.add(name, raw, [(status, body)], closes=closes, **more)


family("surplus bytes", "RFC 9112 section 6.3; CWE-444")
for closes in [False, True]:
    behind = ", then it closes" if closes else ""
    passes("behind a length" + behind, ok() + TRAP, closes=closes)
    passes("behind chunks" + behind, response(CHUNKED, body=chunked(b"ok")) + TRAP, closes=closes)
    passes("behind 204" + behind, response(line=b"HTTP/1.1 204 X") + TRAP, 204, b"", closes=closes)
    passes("behind 304" + behind, response(line=b"HTTP/1.1 304 X") + TRAP, 304, b"", closes=closes)
    passes("the body of 304" + behind, response(LENGTH % len(TRAP), line=b"HTTP/1.1 304 X", body=TRAP), 304, b"", closes=closes)
    passes("the body of an answer to HEAD" + behind, response(LENGTH % len(TRAP), body=TRAP), 200, b"", method="HEAD", closes=closes)
    passes("chunks of an answer to HEAD" + behind, response(CHUNKED, body=chunked(b"ok") + TRAP), 200, b"", method="HEAD", closes=closes)
    passes("chunks of 304" + behind, response(CHUNKED, line=b"HTTP/1.1 304 X", body=chunked(b"ok") + TRAP), 304, b"", closes=closes)
    passes("a head of 103" + behind, ok() + HINTS + TRAP, closes=closes)
    passes("a byte" + behind, ok() + b"\0", closes=closes)
    passes("behind an answer to HEAD" + behind, response(LENGTH % 5) + TRAP, 200, b"", method="HEAD", closes=closes)
passes("an empty line", ok() + CRLF)
either("the body of 204", response(LENGTH % len(TRAP), line=b"HTTP/1.1 204 X", body=TRAP))
either("chunks of 204", response(CHUNKED, line=b"HTTP/1.1 204 X", body=chunked(b"ok") + TRAP))
either("the body of 205", response(LENGTH % 2, line=b"HTTP/1.1 205 X", body=b"ok"))

family("lengths", "RFC 9112 section 6.3")
for name, fields in [("the same twice", [LENGTH % 2, LENGTH % 2]), ("two that differ", [LENGTH % 2, LENGTH % 3]), ("with chunks", [LENGTH % 2, CHUNKED]),
                     ("chunks with it", [CHUNKED, LENGTH % 2]), ("a folded one", [b"Content-Length:\r\n 2"]), ("space before the colon", [b"Content-Length : 2"])]:
    refused(name, response(*fields, body=b"ok"))
    if "fold" not in name and "space" not in name:
        refused(name + ", to HEAD", response(*fields), method="HEAD")
for value in [b"2, 2", b"-2", b"+2", b"0x2", b"2a", b"", b"2 2", b"2;", b"2.0", b"9223372036854775808", b"18446744073709551618", b"99999999999999999999"]:
    refused(show(value) or "empty", response(b"Content-Length: " + value, body=b"ok"))
refused("longer than what comes", response(LENGTH % 10, body=b"ok"))
passes("until the end", response(body=b"ok"), closes=True)
passes("5000 zeros in front", response(b"Content-Length: " + b"0" * 5000 + b"2", body=b"ok"))
for value in [b"1" * 20000, b"2\x0b", b"\x002", b"2,", b"%32", b"\xef\xbc\x92", b"2\x85", b'"2"']:
    refused(show(value), response(b"Content-Length: " + value, body=b"ok"))
    refused(show(value) + ", to HEAD", response(b"Content-Length: " + value), method="HEAD")
    refused(show(value) + ", in 304", response(b"Content-Length: " + value, line=b"HTTP/1.1 304 X"))
passes("HTTP/1.0 that stays, until the end", response(b"Connection: keep-alive", line=b"HTTP/1.0 200 OK", body=b"ok"), closes=True)
passes("HTTP/1.0 that stays, with a length", response(b"Connection: keep-alive", LENGTH % 2, line=b"HTTP/1.0 200 OK", body=b"ok"))
passes("until the end, HTTP/1.0", response(line=b"HTTP/1.0 200 OK", body=b"ok"), closes=True)
passes("Connection: Content-Length", response(b"Connection: Content-Length", LENGTH % 2, body=b"ok"))

family("codings", "RFC 9112 section 6.1")
for value in [b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity", b"xchunked", b"chunked\x0b", b"", b"chunked;a", b"chunked,"]:
    refused(show(value) or "empty", response(b"Transfer-Encoding: " + value, body=chunked(b"ok")))
refused("chunks of an HTTP/1.0 server", response(CHUNKED, line=b"HTTP/1.0 200 OK", body=chunked(b"ok")))
passes("in any case", response(b"TRANSFER-ENCODING: ChunkeD", body=chunked(b"ok")))
for value in [b"chunked, identity", b"\x00chunked", b"chunked\x85", b"chunked\r\n , identity", b'"chunked"', b"gzip", b"%63hunked"]:
    refused(show(value) + ", until the end", response(b"Transfer-Encoding: " + value, body=b"ok"))
    refused(show(value) + ", to HEAD", response(b"Transfer-Encoding: " + value), method="HEAD")
refused("two of them", response(CHUNKED, CHUNKED, body=chunked(b"ok")))
passes("to HEAD", response(CHUNKED), 200, b"", method="HEAD")

family("chunks", "RFC 9112 section 7.1")
for name, body in [
        ("0x", b"0x2\r\nok\r\n0\r\n\r\n"), ("-", b"-2\r\nok\r\n0\r\n\r\n"), ("space in front", b" 2\r\nok\r\n0\r\n\r\n"), ("LF alone", b"2\nok\n0\n\n"),
        ("LF behind the size", b"2\nok\r\n0\r\n\r\n"), ("LF behind the data", b"2\r\nok\n0\r\n\r\n"), ("no size", b"\r\nok\r\n0\r\n\r\n"),
        ("17 digits", b"10000000000000002\r\nok\r\n0\r\n\r\n"), ("size is -1", b"ffffffffffffffff\r\nok\r\n0\r\n\r\n"),
        ("data longer than said", b"2\r\nokk\r\n0\r\n\r\n"), ("no last chunk", b"2\r\nok\r\n"), ("no end", b"2\r\nok\r\n0\r\n"),
        ("extension with LF", b"2;a\nok\r\n0\r\n\r\n"), ("quoted CRLF", b'2;a="\r\nok\r\n"\r\n0\r\n\r\n'), ("extension of 5000 bytes", b"2;" + b"a" * 5000 + b"\r\nok\r\n0\r\n\r\n"),
        ("a flood of extensions", (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 40 + b"0\r\n\r\n"), ("a folded trailer", b"2\r\nok\r\n0\r\nA: b\r\n c\r\n\r\n"),
        ("a trailer with LF", b"2\r\nok\r\n0\r\nA: b\n\r\n"), ("201 trailers", b"2\r\nok\r\n0\r\n" + b"A: b\r\n" * 201 + b"\r\n"),
        ("a response for a trailer", b"2\r\nok\r\n0\r\n" + TRAP)]:
    refused(name, response(CHUNKED, body=body))
passes("an extension", response(CHUNKED, body=b"2;a=b\r\nok\r\n0\r\n\r\n"))
for end in [b"\n\n", b"\n\r", b"\r\r", b" \r\n", b"\0\r\n"]:
    refused("behind the size: " + show(end), response(CHUNKED, body=b"2" + end + b"ok\r\n0\r\n\r\n"))
    refused("behind the data: " + show(end), response(CHUNKED, body=b"2\r\nok" + end + b"0\r\n\r\n"))
    refused("behind the last size: " + show(end), response(CHUNKED, body=b"2\r\nok\r\n0" + end + CRLF))
for name, body in [
        ("17 zeros", b"0" * 17 + b"2\r\nok\r\n0\r\n\r\n"), ("an extension with an escaped CRLF", b'2;a="\\\r\n"\r\nok\r\n0\r\n\r\n'), ("a folded extension", b"2;a\r\n b\r\nok\r\n0\r\n\r\n"),
        ("a quoted CRLF in the last one", b'2\r\nok\r\n0;a="\r\n\r\n' + TRAP + b'"\r\n\r\n'), ("a trailer folded by a tab", b"2\r\nok\r\n0\r\nA: b\r\n\tc\r\n\r\n"),
        ("the first trailer folded", b"2\r\nok\r\n0\r\n A: b\r\n\r\n"), ("blanks for a trailer", b"2\r\nok\r\n0\r\n \r\n\r\n"), ("a NUL in a trailer", b"2\r\nok\r\n0\r\nA: \0\r\n\r\n"),
        ("70,000 bytes of trailers", b"2\r\nok\r\n0\r\nA: " + b"a" * 70000 + b"\r\n\r\n")]:
    refused(name, response(CHUNKED, body=body))
passes("3,000 of a byte", response(CHUNKED, body=b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n"), 200, b"x" * 3000)
passes("trailers that change the message", response(CHUNKED, body=chunked(b"ok", trailers=b"Content-Length: 9\r\nSet-Cookie: e\r\nTransfer-Encoding: x\r\n")))

family("status lines", "RFC 9112 section 4; RFC 9110 section 15")
for line in [b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 000 OK", b"HTTP/1.1 600 OK", b"HTTP/1.1 999 OK",
             b"HTTP/1.1 -20 OK", b"HTTP/1.1 +20 OK", b"HTTP/1.1 abc OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/2.0 200 OK", b"HTTP/2 200",
             b"HTTP/1.2 200 OK", b"HTTP/1.10 200 OK", b"HTTP/0.9 200 OK", b"http/1.1 200 OK", b"ICY 200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200\tOK",
             b"HTTP/1.1 200OK", b" HTTP/1.1 200 OK", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\x7fK", b"HTTP/1.1 200 O\x0bK",
             b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK", b"HTTP/1.1 200 OK\n", b"220 ftp ready", b"SSH-2.0-x", b"<html>", b"\0\0\0"]:
    refused(show(line), ok(line=line))
passes("no reason", ok(line=b"HTTP/1.1 200"))
passes("an empty reason", ok(line=b"HTTP/1.1 200 "))
passes("a reason of high bytes", ok(line=b"HTTP/1.1 200 \xff\xfe"))
passes("the last status", ok(line=b"HTTP/1.1 599 x"), 599)

family("fields", "RFC 9112 section 5")
for name, field in [("LF", b"A: b\nX: y"), ("CR", b"A: b\rX: y"), ("NUL", b"A: \0"), ("folded", b"A: b\r\n c"), ("the first one folded", b" A: b"), ("no colon", b"abc"),
                    ("space before the colon", b"A : b"), ("no name", b": b"), ("high byte in a name", b"\xff: b"), ("VT", b"A: \x0b"), ("201 of them", b"A: b\r\n" * 200 + b"A: b"),
                    ("70,000 bytes", b"A: " + b"a" * 70000), ("100 connection options", b"Connection: " + b",".join(b"a%d" % number for number in range(100)))]:
    refused(name, response(field, LENGTH % 2, body=b"ok"))
refused("LF alone ends lines", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
refused("the head ends with LF", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok")
passes("199 fields", response(*[b"A: b"] * 198, LENGTH % 2, body=b"ok"))
passes("200 fields", response(*[b"A: b"] * 199, LENGTH % 2, body=b"ok"))
for more, rule in [(0, passes), (1, refused)]:
    start = OK + CRLF + lines(LENGTH % 2) + b"A: "
    raw = start + b"a" * (64 * 1024 - len(start) - 4 + more) + CRLF + CRLF + b"ok"
    rule(f"a head of {len(raw) - 2} bytes", raw)
for byte in b"\t\x0c\x1f\x80\xa0\xff ":
    refused(f"the byte {byte:02x} behind a length's name", response(b"Content-Length" + bytes([byte]) + b": 2", body=b"ok"))
    refused(f"the byte {byte:02x} in front of a length's name", response(bytes([byte]) + b"Content-Length: 2", body=b"ok"))
passes("fields of one hop", response(b"Keep-Alive: 1", b"Connection: X-One, close", b"X-One: 1", b"Proxy-Connection: x", LENGTH % 2, body=b"ok"), closes=True, lacks=[b"x-one"])

family("interim responses", "RFC 9110 section 15.2; RFC 9112 section 9.2")
for count in [1, 16]:
    passes(f"{count} of them", HINTS * count + ok())
for count in [17, 1000]:
    refused(f"a flood of {count}", HINTS * count + ok())
refused("and no final one", HINTS)
passes("100 that nobody waits for", response(line=b"HTTP/1.1 100 Continue") + ok())
passes("to HEAD", HINTS + response(LENGTH % 2), 200, b"", method="HEAD")
refused("a length of an answer in an interim one, and no answer", response(LENGTH % 2, line=b"HTTP/1.1 103 E", body=b"ok"))
refused("with a coding that is none", response(b"Transfer-Encoding: gzip", line=b"HTTP/1.1 103 E") + ok())
refused("with two lengths", response(LENGTH % 2, LENGTH % 3, line=b"HTTP/1.1 103 E") + ok())
refused("200 with a space in front behind one", HINTS + b" " + ok())
for status in [b"102", b"104", b"199"]:
    passes("a " + status.decode(), response(line=b"HTTP/1.1 " + status + b" X") + ok())
passes("what seems to be its body is the final one", response(LENGTH % len(ok()), line=b"HTTP/1.1 103 E", body=ok()))
refused("with chunks", response(CHUNKED, line=b"HTTP/1.1 103 E", body=chunked(b"ok") + TRAP))
for name, raw in [("an upgrade nobody asked for", response(b"Connection: upgrade", b"Upgrade: websocket", line=b"HTTP/1.1 101 X")),
                  ("a bare 101", response(line=b"HTTP/1.1 101 X")), ("a 101 of HTTP/1.0", response(b"Connection: upgrade", b"Upgrade: websocket", line=b"HTTP/1.0 101 X")),
                  ("a 101 to h2c", response(b"Connection: upgrade", b"Upgrade: h2c", line=b"HTTP/1.1 101 X"))]:
    refused(name, raw + TRAP, source="RFC 9110 section 15.2.2")

family("closed at every byte", "RFC 9112 section 8")
for name, raw in [("a length", response(b"X-A: b", LENGTH % 12, body=b"hello world!")),
                  ("chunks", response(CHUNKED, body=b"5\r\nhello\r\n7;e=f\r\n world!\r\n0\r\nX-T: v\r\n\r\n")),
                  ("behind an interim one", HINTS + ok()), ("the last of its connection", response(b"Connection: close", LENGTH % 3, body=b"abc"))]:
    for cut in range(len(raw)):
        refused(f"{name}, at {cut} of {len(raw)}", raw[:cut])

family("reset at every byte", "RFC 9112 section 8")
for name, raw in [("a length", response(LENGTH % 5, body=b"hello")), ("chunks", response(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\n\r\n")), ("until the end", response(body=b"hello"))]:
    for cut in range(len(raw) + (name == "until the end")):
        refused(f"{name}, at {cut} of {len(raw)}", raw[:cut], resets=True)
