"""What a client may send to be read in two ways. Behind nearly every case stands a request for /after: where the
proxy thinks that it begins is what an attack is about. /smuggled must never be asked for.
"""

from .cases import CRLF, EITHER, REFUSED, Table, chunked, lines, show

TABLE = Table()
AFTER = b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"Content-Length: %d"
CHUNKED = b"Transfer-Encoding: chunked"
HELLO = chunked(b"hello")

family = TABLE.family


def message(start, *fields, body=b"", host=b"Host: x"):
    return start + CRLF + lines(*([host] if host else []), *fields) + CRLF + body


def get(*fields, target=b"/g", version=b"HTTP/1.1", **more):
    return message(b"GET " + target + b" " + version, *fields, **more)


def post(*fields, body=b"", version=b"HTTP/1.1", **more):
    return message(b"POST /p " + version, *fields, body=body, **more)


def refused(name, raw, source=None):
    TABLE.add(name, raw + AFTER, REFUSED, source)


def either(name, raw, source=None):
    TABLE.add(name, raw + AFTER, EITHER, source)


def passes(name, raw, *exchanges, source=None, last=False, **more):
    """`exchanges` are what the upstream must get, (method, target, body), before /after; `last`: not even that."""
    wants = list(exchanges) or [("GET", "/g", b"")]
    TABLE.add(name, raw + AFTER, wants if last else [*wants, ("GET", "/after", b"")], source, **more)


HELD = ("POST", "/p", b"hello")

family("two lengths", "RFC 9112 section 6.1; Linhart and others, HTTP Request Smuggling, 2005")
refused("length, then coding", post(LENGTH % 6, CHUNKED, body=b"0\r\n\r\nG"))
refused("coding, then length", post(CHUNKED, LENGTH % 4, body=b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n"))
refused("length 0 and coding", post(LENGTH % 0, CHUNKED, body=chunked()))
refused("length of the whole chunked body", post(LENGTH % len(HELLO), CHUNKED, body=HELLO))
refused("other fields between them", post(LENGTH % 5, *[b"A: b"] * 50, CHUNKED, body=HELLO))
refused("length in a GET", get(LENGTH % 5, CHUNKED, body=HELLO))
refused("both, and Connection names one", post(b"Connection: Content-Length", LENGTH % 5, CHUNKED, body=HELLO))
refused("the same length twice", post(LENGTH % 5, LENGTH % 5, body=b"hello"), "RFC 9112 section 6.3, item 5")
refused("two lengths that differ", post(LENGTH % 5, LENGTH % 6, body=b"hello"), "RFC 9112 section 6.3, item 5")
refused("two lengths in other case", post(b"content-length: 5", b"CONTENT-LENGTH: 0", body=b"hello"))
refused("two codings", post(CHUNKED, CHUNKED, body=HELLO))
refused("two codings, one unknown", post(CHUNKED, b"Transfer-Encoding: cow", body=HELLO), "Kettle, HTTP Desync Attacks, 2019")
refused("two codings, identity last", post(CHUNKED, b"Transfer-Encoding: identity", body=HELLO))
passes("a length in any case", post(b"cOnTeNt-LeNgTh: 5", body=b"hello"), HELD)

family("values of Content-Length", "RFC 9110 section 8.6; RFC 9112 section 6.3")
for value in [b"5,5", b"5, 5", b"5,6", b"+5", b"-5", b"-0", b"0x5", b"5 5", b"5a", b"a5", b"", b" ", b"5;", b"5.0", b"1e1",
              b"'5'", b'"5"', b"5_0", b"NaN", b"5\xa0", b"\xc2\xb25", b"\xd9\xa5", b"5\x0b", b"\x0b5", b"5\x00", b"\x0c5"]:
    refused(show(value), post(b"Content-Length: " + value, body=b"hello"))
for value in [b"9223372036854775808", b"18446744073709551616", b"18446744073709551621", b"99999999999999999999999999"]:
    refused("overflows: " + show(value), post(b"Content-Length: " + value, body=b"hello"))
refused("as much as can be counted, and not there", post(b"Content-Length: 9223372036854775807", body=b"hello"))
for value in [b"05", b"00000000000000000000005", b"\t5\t", b"  5"]:
    passes("is 5: " + show(value), post(b"Content-Length:" + value, body=b"hello"), HELD)
passes("is 5: 5000 zeros in front", post(b"Content-Length: " + b"0" * 5000 + b"5", body=b"hello"), HELD)
for value in [b"1" * 1000, b"1" * 20000, b"5" + b" " * 20 + b"5", b"5\t5", b"=5", b"#5", b"(5)", b"5%00", b"%35", b"\xef\xbc\x95", b"5,", b",5", b"5\x85", b"\x1f5"]:
    refused(show(value), post(b"Content-Length: " + value, body=b"hello"))
passes("0", post(LENGTH % 0), ("POST", "/p", b""))
passes("a request as a body", post(LENGTH % len(SMUGGLED), body=SMUGGLED), ("POST", "/p", SMUGGLED))

family("values of Transfer-Encoding", "RFC 9112 section 6.1; Kettle, HTTP Desync Attacks, 2019")
for value in [b"xchunked", b"chunkedx", b"chunk", b"chunked, identity", b"identity, chunked", b"identity", b"chunked,",
              b",chunked", b"chunked,chunked", b"gzip, chunked", b"chunked, gzip", b"deflate", b"trailers, chunked",
              b"chunked;q=1", b"chunked foo", b"'chunked'", b'"chunked"', b"\x0bchunked", b"chunked\x0b", b"\x0cchunked",
              b"chunked\x00", b"\x00chunked", b"chunked\r", b"\xa0chunked", b"chunked\xa0", b"chun\xe2\x84\xaaed", b"",
              b"identity\r\n\tchunked", b"\r\n chunked", b"chunked\r\n x"]:
    refused(show(value), post(b"Transfer-Encoding: " + value, body=chunked() + SMUGGLED))
    refused(show(value) + " with a length", post(b"Transfer-Encoding: " + value, LENGTH % (5 + len(SMUGGLED)), body=chunked() + SMUGGLED))
for value in [b"chunKed", b"CHUNKED", b"\tchunked", b" chunked "]:
    passes("is chunked: " + show(value), post(b"Transfer-Encoding: " + value, body=HELLO), HELD)
either("is chunked, with a tab behind", post(b"Transfer-Encoding: chunked\t", body=HELLO), "RFC 9110 section 5.6.3")
refused("of an HTTP/1.0 client", post(CHUNKED, body=HELLO, version=b"HTTP/1.0"), "RFC 9112 section 6.1")
refused("of an HTTP/1.0 client that stays", post(CHUNKED, b"Connection: keep-alive", body=HELLO, version=b"HTTP/1.0"))
refused("of an HTTP/1.0 client, with a length", post(LENGTH % 5, CHUNKED, b"Connection: keep-alive", body=HELLO, version=b"HTTP/1.0"))
for value in [b"chunked, chunked ", b"chunked\t, identity", b"chunked#", b"%63hunked", b"chunked\x85", b"chunked/1", b"(x)chunked", b"chunked=1", b"CHUNKED, gzip", b"cHuNkEd,,"]:
    refused(show(value), post(b"Transfer-Encoding: " + value, body=chunked() + SMUGGLED))
refused("chunked in two fields, one of them empty", post(b"Transfer-Encoding:", CHUNKED, body=HELLO))
refused("chunked, and a length that Connection names", post(CHUNKED, b"Connection: content-length", LENGTH % 5, body=HELLO))

family("names of the lengths", "RFC 9110 section 5.1; RFC 9112 section 5.1; Kettle, HTTP Desync Attacks, 2019")
for name in [b"Content-Length ", b"Content-Length\t", b" Content-Length", b"Content-Length\x00", b"Content-Length\x0b",
             b"Content\x00-Length", b"Content Length", b"Content-Length\r", b"\rContent-Length", b"Content-Length\xa0",
             b"X: y\nContent-Length", b"X: y\rContent-Length", b"X\x00: y\r\nContent-Length", b"Content-L\xc3\xa9ngth"]:
    refused(show(name), post(name + b": %d" % len(SMUGGLED), body=SMUGGLED))
for name in [b"Transfer-Encoding ", b"Transfer-Encoding\t", b" Transfer-Encoding", b"Transfer-Encoding\x00",
             b"Transfer\x00Encoding", b"Transfer Encoding", b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding",
             b"Foo\r\n Transfer-Encoding", b"X:\r\n\tTransfer-Encoding", b"Transfer-encod\xc4\xb1ng"]:
    refused(show(name) + ": chunked", post(name + b": chunked", body=chunked() + SMUGGLED))
    refused(show(name) + ": chunked, with a length", post(LENGTH % 5, name + b": chunked", body=chunked()))
passes("Content_Length is no length", post(b"Content_Length: 5"), ("POST", "/p", b""))
passes("Transfer_Encoding is no coding", post(LENGTH % 5, b"Transfer_Encoding: chunked", body=b"hello"), HELD)

family("chunks", "RFC 9112 section 7.1; Weikop, Funky chunks, 2025")
for name, body in [
        ("0x", b"0x5\r\nhello\r\n0\r\n\r\n"), ("+", b"+5\r\nhello\r\n0\r\n\r\n"), ("-", b"-5\r\nhello\r\n0\r\n\r\n"),
        ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"), ("no size", b"\r\nhello\r\n0\r\n\r\n"), ("hex G", b"5g\r\nhello\r\n0\r\n\r\n"),
        ("space in front", b" 5\r\nhello\r\n0\r\n\r\n"), ("space behind", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("tab behind", b"5\t\r\nhello\r\n0\r\n\r\n"), ("NUL behind", b"5\0\r\nhello\r\n0\r\n\r\n"),
        ("a digit of another script", b"\xd9\xa5\r\nhello\r\n0\r\n\r\n"),
        ("size overflows to 5, 17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("size overflows to 5, 33 digits", b"100000000000000000000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("size is -1", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), ("size is the least number", b"8000000000000000\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the size", b"5\nhello\r\n0\r\n\r\n"), ("LF behind the data", b"5\r\nhello\n0\r\n\r\n"),
        ("LF alone", b"5\nhello\n0\n\n"), ("CR alone", b"5\rhello\r0\r\r"), ("CR CR LF", b"5\r\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the last", b"5\r\nhello\r\n0\n\r\n"), ("the end is LF", b"5\r\nhello\r\n0\r\n\n"),
        ("nothing behind the data", b"5\r\nhello0\r\n\r\n"), ("data longer than said", b"5\r\nhelloX\r\n0\r\n\r\n"),
        ("two bytes for CRLF", b"5\r\nhelloXX0\r\n\r\n"), ("no end", b"5\r\nhello\r\n0\r\nX"),
        ("extension with LF", b"5;a\nhello\r\n0\r\n\r\n"), ("extension with CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("extension with NUL", b"5;a\0\r\nhello\r\n0\r\n\r\n"), ("quoted CRLF", b'5;a="\r\nhello\r\n"\r\n0\r\n\r\n'),
        ("open quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'), ("a quoted LF hides a chunk", b'5;a="\n2d\r\nhello\r\n0\r\n\r\n' + SMUGGLED),
        ("extension of 5000 bytes", b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
        ("a flood of extensions", (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 40 + b"0\r\n\r\n")]:
    refused(name, post(CHUNKED, body=body))
for name, body in [("as it should be", HELLO), ("five chunks", chunked(b"h", b"e", b"l", b"l", b"o")),
                   ("an extension", b"5;a=b\r\nhello\r\n0\r\n\r\n"), ("a quoted extension", b'5;a="b\\"c;"\r\nhello\r\n0\r\n\r\n'),
                   ("zeros in front", b"0000000000000005\r\nhello\r\n000\r\n\r\n"), ("last with an extension", b"5\r\nhello\r\n0;x=y\r\n\r\n"),
                   ("capital hex", b"05\r\nhello\r\n0\r\n\r\n")]:
    passes(name, post(CHUNKED, body=body), HELD)
passes("a request as a chunk", post(CHUNKED, body=chunked(SMUGGLED)), ("POST", "/p", SMUGGLED))
for end in [b"\n\n", b"\n\r", b"\r\r", b"\r\n\r\n", b" \r\n", b"\0\r\n", b"\x0b\r\n", b"\x85"]:
    refused("behind the size: " + show(end), post(CHUNKED, body=b"5" + end + b"hello\r\n0\r\n\r\n"))
    refused("behind the data: " + show(end), post(CHUNKED, body=b"5\r\nhello" + end + b"0\r\n\r\n"))
    if not end.startswith(b"\r\n"):
        refused("behind the last size: " + show(end), post(CHUNKED, body=b"5\r\nhello\r\n0" + end + CRLF))
for name, body in [
        ("an extension with a quoted CR", b'5;a="\r"\r\nhello\r\n0\r\n\r\n'), ("an extension with an escaped LF", b'5;a="\\\n"\r\nhello\r\n0\r\n\r\n'),
        ("an extension with an escaped CRLF", b'5;a="\\\r\n"\r\nhello\r\n0\r\n\r\n'), ("an extension that is folded", b"5;a\r\n b\r\nhello\r\n0\r\n\r\n"),
        ("a quoted CRLF in the last one", b'5\r\nhello\r\n0;a="\r\n\r\n' + SMUGGLED + b'"\r\n\r\n'), ("an extension without a name", b"5;=b\r\nhello\r\n0\r\n\r\n"),
        ("an extension without a value", b"5;a=\r\nhello\r\n0\r\n\r\n"), ("something behind a quoted value", b'5;a="b"c\r\nhello\r\n0\r\n\r\n'),
        ("a comma for a semicolon", b"5,a\r\nhello\r\n0\r\n\r\n"), ("17 zeros", b"0" * 17 + b"5\r\nhello\r\n0\r\n\r\n"), ("a last one of 17 zeros", b"5\r\nhello\r\n" + b"0" * 17 + b"\r\n\r\n"),
        ("the last one is -0", b"5\r\nhello\r\n-0\r\n\r\n"), ("the last one is 0x0", b"5\r\nhello\r\n0x0\r\n\r\n"), ("two last ones", HELLO + chunked()),
        ("a size in the data of another", b"2\r\nhe5\r\nllo\r\n0\r\n\r\n"), ("a size of high bytes", b"\xb5\r\nhello\r\n0\r\n\r\n")]:
    refused(name, post(CHUNKED, body=body))
passes("3,000 chunks of a byte", post(CHUNKED, body=b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n"), ("POST", "/p", b"x" * 3000))
passes("an extension of every kind", post(CHUNKED, body=b'5;a;b=c;d="e";f="\\"";g = h ; i\r\nhello\r\n0;a;b="c"\r\n\r\n'), HELD)
either("an empty extension", post(CHUNKED, body=b"5;\r\nhello\r\n0\r\n\r\n"))
either("a space in front of an extension", post(CHUNKED, body=b"5 ;a\r\nhello\r\n0\r\n\r\n"))

family("trailers", "RFC 9110 section 6.5.1; RFC 9112 section 7.1.2")
for name in [b"Content-Length: 100", b"Transfer-Encoding: chunked", b"Host: evil", b"Connection: close", b"Authorization: x",
             b"Cookie: a=b", b"Expect: 100-continue", b"Trailer: x", b"TE: x", b"Upgrade: websocket", b"Content-Encoding: gzip",
             b"Content-Type: a/b", b"Content-Range: x", b"Set-Cookie: x", b"Cache-Control: x", b"Max-Forwards: 0",
             b"Proxy-Authorization: x", b"X-Fine: 1"]:
    passes(show(name), post(CHUNKED, body=chunked(b"hello", trailers=name + CRLF)), HELD)
for name, trailers in [("folded", b"X: a\r\n b\r\n"), ("LF", b"X: a\n"), ("CR", b"X: a\rb\r\n"), ("NUL", b"X: \0\r\n"),
                       ("no colon", b"X\r\n"), ("space before the colon", b"X : a\r\n"), ("no name", b": a\r\n"),
                       ("a request", SMUGGLED[:-2]), ("201 of them", b"X: a\r\n" * 201), ("70,000 bytes", b"X: " + b"a" * 70000 + CRLF)]:
    refused(name, post(CHUNKED, body=chunked(b"hello", trailers=trailers)))
for name, trailers in [("folded by a tab", b"X: a\r\n\tb\r\n"), ("folded without a value", b"X:\r\n a\r\n"), ("the first one folded", b" X: a\r\n"), ("a folded blank line", b"X: a\r\n \r\n"),
                       ("blanks for a line", b" \r\n"), ("folded to a length", b"X: a\r\n Content-Length: 9\r\n"), ("the second one folded by a LF", b"X: a\n b\r\n"), ("LF for the end", b"X: a\r\n\n"),
                       ("CR CR LF", b"X: a\r\r\n"), ("high byte in a name", b"\xe9: a\r\n"), ("NUL in a name", b"X\0: a\r\n"), ("a size for a line", b"5\r\nhello\r\n"), ("a space in a name", b"X Y: a\r\n")]:
    refused(name, post(CHUNKED, body=chunked(b"hello", trailers=trailers)))
for name in [b"content-length: 0", b"TRANSFER-ENCODING: identity", b"hOST: evil", b"X-Forwarded-For: 1", b"X-Real-IP: 1", b"Forwarded: for=1", b"Range: bytes=0-", b"If-Match: x", b"Location: /smuggled",
             b"Keep-Alive: 1", b"Proxy-Connection: close", b"HTTP2-Settings: x", b"Via: x", b"Date: x"]:
    passes("of small moment: " + show(name), post(CHUNKED, b"TE: trailers", b"Connection: TE", body=chunked(b"hello", trailers=name + CRLF)), HELD)
passes("199 of them", post(CHUNKED, body=chunked(b"hello", trailers=b"X: a\r\n" * 199)), HELD)

family("ends of lines", "RFC 9112 section 2.2")
for name, raw in [
        ("LF behind the request line", b"GET /g HTTP/1.1\nHost: x\r\n\r\n"), ("LF behind a field", b"GET /g HTTP/1.1\r\nHost: x\n\r\n"),
        ("LF at the end", b"GET /g HTTP/1.1\r\nHost: x\r\n\n"), ("LF alone", b"GET /g HTTP/1.1\nHost: x\n\n"),
        ("CR alone", b"GET /g HTTP/1.1\rHost: x\r\r"), ("CR in the request line", b"GET /g\r HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("CR behind the request line", b"GET /g HTTP/1.1\r\r\nHost: x\r\n\r\n"), ("CR behind a value", b"GET /g HTTP/1.1\r\nHost: x\r\r\n\r\n"),
        ("CR in a value", get(b"A: b\rc")), ("LF in a value", get(b"A: b\nX-Token: c")), ("CR in front of a field", get(b"\rA: b")),
        ("CR LF LF", b"GET /g HTTP/1.1\r\nHost: x\r\n\nA: b\r\n\r\n"), ("LF CR", b"GET /g HTTP/1.1\n\rHost: x\n\r\n\r"),
        ("two empty lines in front", b"\r\n\r\n" + get()), ("LF in front", b"\n" + get()), ("CR in front", b"\r" + get()),
        ("space in front", b" " + get()), ("empty lines for ever", b"\r\n" * 1000), ("a byte order mark", b"\xef\xbb\xbf" + get()),
        ("NEL for a line end", b"GET /g HTTP/1.1\x85Host: x\r\n\r\n")]:
    refused(name, raw)
passes("one empty line in front", CRLF + get())
passes("one empty line behind a body", post(LENGTH % 5, body=b"hello") + CRLF, HELD)
passes("one empty line behind chunks", post(CHUNKED, body=HELLO) + CRLF, HELD)
refused("two empty lines behind a body", post(LENGTH % 5, body=b"hello") + CRLF + CRLF)
refused("LF behind a body", post(LENGTH % 5, body=b"hello") + b"\n")
refused("a space behind a body", post(LENGTH % 5, body=b"hello") + b" ")
refused("a NUL behind a request", get() + b"\0")
refused("one byte more than the length", post(LENGTH % 5, body=b"hello!") + b"\r\n")
refused("LS for a line end", b"GET /g HTTP/1.1\xe2\x80\xa8Host: x\r\n\r\n")
refused("FF for a line end", b"GET /g HTTP/1.1\x0cHost: x\r\n\r\n")
refused("RS for a line end", b"GET /g HTTP/1.1\x1eHost: x\r\n\r\n")

family("fields", "RFC 9110 section 5; RFC 9112 section 5")
for name, field in [
        ("folded", b"A: b\r\n c"), ("folded by a tab", b"A: b\r\n\tc"), ("folded without a value", b"A:\r\n b"), ("space before the colon", b"A : b"),
        ("tab before the colon", b"A\t: b"), ("no colon", b"A"), ("no name", b": b"), ("space in a name", b"A B: c"), ("NUL in a name", b"A\0: b"),
        ("NUL in a value", b"A: \0"), ("NUL behind a value", b"A: b\0"), ("high byte in a name", b"\xc3\xa9: b"), ("DEL in a value", b"A: \x7f"),
        ("VT in a value", b"A: \x0b"), ("ESC in a value", b"A: \x1b[31m"), ("BEL in a name", b"A\x07: b"), ("brackets in a name", b"A(b): c"),
        ("a name in quotes", b'"A": b'), ("slash in a name", b"A/b: c"), ("a request line for a field", b"GET /smuggled HTTP/1.1")]:
    refused(name, get(field))
refused("the first field is folded", b"GET /g HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n")
refused("201 fields", get(*[b"A: b"] * 200))
passes("200 fields", get(*[b"A: b"] * 199))
for byte in [0x80, 0xa0, 0xad, 0xb2, 0xc0, 0xff]:
    refused(f"the byte {byte:02x} in a name", get(b"X-" + bytes([byte]) + b": b"))
    refused(f"the byte {byte:02x} behind a length's name", post(b"Content-Length" + bytes([byte]) + b": 0", LENGTH % 5, body=b"hello"))
for byte in b"\t\x0b\x0c\x1c\x1f ":
    refused(f"the byte {byte:02x} in front of a name", get(bytes([byte]) + b"A: b"))
for character in b'"(),/:;<=>?@[]{}\\':
    if character != ord(":"):
        refused(f"{chr(character)} in a name", get(b"A" + bytes([character]) + b"B: c"))
passes("colons in a value", get(b"A: : b : c"), keeps=[(b"a", b": b : c")])
passes("no blank behind the colon", get(b"A:b"), keeps=[(b"a", b"b")])
HEAD_BYTES = 64 * 1024
for more, rule in [(0, passes), (1, refused)]:
    start = b"GET /g HTTP/1.1\r\nHost: x\r\nA: "
    raw = start + b"a" * (HEAD_BYTES - len(start) - 4 + more) + CRLF + CRLF
    rule(f"a head of {len(raw)} bytes", raw)
    raw = b"GET /" + b"a" * (16384 - 14 + more) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    rule(f"a line of {raw.index(CRLF)} bytes", raw, *([] if more else [("GET", "/" + "a" * 16370, b"")]))
refused("a head of 70,000 bytes", get(b"A: " + b"a" * 70000))
passes("199 fields", get(*[b"A: b"] * 198))
passes("an empty value", get(b"A:"), keeps=[(b"a", b"")])
passes("high bytes in a value", get(b"A: \xc3\xa9\xff"), keeps=[(b"a", b"\xc3\xa9\xff")])
passes("blanks around a value", get(b"A: \t b \t"), keeps=[(b"a", b"b")])
passes("every character of a token", get(b"!#$%&'*+-.^_`|~: b"))

family("request lines", "RFC 9112 section 3")
for name, line in [
        ("two spaces", b"GET  /g HTTP/1.1"), ("two spaces before the version", b"GET /g  HTTP/1.1"), ("tab", b"GET\t/g HTTP/1.1"),
        ("tab before the version", b"GET /g\tHTTP/1.1"), ("space at the end", b"GET /g HTTP/1.1 "), ("four words", b"GET /g /h HTTP/1.1"),
        ("no target", b"GET HTTP/1.1"), ("fragment", b"GET /g#f HTTP/1.1"), ("high byte", b"GET /\xff HTTP/1.1"), ("NUL", b"GET /\0 HTTP/1.1"),
        ("DEL", b"GET /\x7f HTTP/1.1"), ("VT", b"GET /g\x0bHTTP/1.1 HTTP/1.1"), ("no slash", b"GET g HTTP/1.1"), ("only a query", b"GET ?q HTTP/1.1"),
        ("asterisk of GET", b"GET * HTTP/1.1"), ("authority of GET", b"GET x:80 HTTP/1.1"), ("backslash", b"GET \\g HTTP/1.1"),
        ("colon in the method", b"GE:T /g HTTP/1.1"), ("high byte in the method", b"G\xc3\x89T /g HTTP/1.1"), ("a field for a line", b"Host: x"),
        ("a line of 17,000 bytes", b"GET /" + b"a" * 17000 + b" HTTP/1.1"), ("a method of 20,000 bytes", b"G" * 20000 + b" /g HTTP/1.1")]:
    refused(name, message(line))
passes("encoded CR and LF stay encoded", get(target=b"/a%0d%0aX:%20y"), ("GET", "/a%0d%0aX:%20y", b""))
passes("two slashes are a path", get(target=b"//evil/g"), ("GET", "//evil/g", b""))
for target in [b"/%", b"/%zz", b"/%00", b"/%2e%2e/after", b"/../after", b"/./g", b"/g/..;/after", b"/%2fafter", b"/g?a=%0d%0a", b"/g;a=b", b"/g?", b"/?/../x", b"/%25%30%30", b"/%u002f", b"/*", b"/:80"]:
    passes("as it comes: " + show(target), get(target=target), ("GET", target.decode(), b""), source="RFC 9110 section 4.2.3; Kettle, Browser-Powered Desync Attacks, 2022")
for target in [b"\t/g", b"/g\t", b"/g\x0b", b"/\x1b", b"/\x85", b"/\xe2\x80\xa8", b"%2fg", b".", b"../g", b";g", b"#", b"@y/g", b"*/g", b"**"]:
    refused("a target that is none: " + show(target), get(target=target))
refused("a method with a slash", message(b"GET/ /g HTTP/1.1"))
refused("only a method", b"GET\r\nHost: x\r\n\r\n")
refused("a status line", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
passes("quotes and braces", get(target=b'/"<>{}|^`\\'), ("GET", '/"<>{}|^`\\', b""))
passes("an unknown method", message(b"BREW /g HTTP/1.1"), ("BREW", "/g", b""))
passes("a method in small letters is another one", message(b"get /g HTTP/1.1"), ("get", "/g", b""))
passes("OPTIONS *", message(b"OPTIONS * HTTP/1.1"), ("OPTIONS", "*", b""))

family("versions", "RFC 9112 section 2.3; RFC 9110 section 2.5")
for version in [b"", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.10", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/2.0", b"HTTP/2", b"HTTP/1", b"http/1.1",
                b"HTTPS/1.1", b"HTTP /1.1", b"HTTP/1,1", b"HTTP/ 1.1", b"HTTP/1.1x", b"HTTP/+1.1"]:
    refused(show(version) or "none", get(version=version))
refused("HTTP/0.9 without a word of it", b"GET /g\r\n")
refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "RFC 9113 section 3.4")
refused("a TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(100))
refused("a line of the PROXY protocol", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + get(), "haproxy.org, proxy-protocol.txt")
passes("HTTP/1.0 ends with its answer", get(version=b"HTTP/1.0"), last=True)
passes("HTTP/1.0 that stays", get(b"Connection: keep-alive", version=b"HTTP/1.0"))
passes("HTTP/1.0 without Host", get(version=b"HTTP/1.0", host=b""), last=True)
passes("HTTP/1.0 that stays, without a length", post(b"Connection: keep-alive", version=b"HTTP/1.0"), ("POST", "/p", b""))
passes("HTTP/1.0 that stays and closes", get(b"Connection: keep-alive, close", version=b"HTTP/1.0"), last=True)
passes("HTTP/1.0 with a length that stays", post(b"Connection: keep-alive", LENGTH % 5, body=b"hello", version=b"HTTP/1.0"), HELD)
passes("HTTP/1.0 between two of HTTP/1.1", get() + get(b"Connection: Keep-Alive", version=b"HTTP/1.0") + get(), *[("GET", "/g", b"")] * 3)
refused("HTTP/1.0 with two lengths", post(b"Connection: keep-alive", LENGTH % 5, LENGTH % 0, body=b"hello", version=b"HTTP/1.0"))

family("host and absolute form", "RFC 9112 sections 3.2 and 3.2.2; RFC 9110 section 7.2")
for name, host in [("none", b""), ("two, equal", b"Host: x\r\nHost: x"), ("two", b"Host: x\r\nHost: y"), ("two in other case", b"hOsT: x\r\nHost: y"),
                   ("space before the colon", b"Host : x"), ("empty", b"Host:"), ("a list", b"Host: x, y"), ("two words", b"Host: x y"),
                   ("a user", b"Host: a@x"), ("a path", b"Host: x/y"), ("a query", b"Host: x?y"), ("a fragment", b"Host: x#y"), ("a scheme", b"Host: http://x"),
                   ("a bad port", b"Host: x:8a"), ("two ports", b"Host: x:80:81"), ("a port too large", b"Host: x:65536"), ("encoded NUL", b"Host: x%00"),
                   ("high bytes", b"Host: \xc3\xa9"), ("folded", b"Host:\r\n x"), ("an open bracket", b"Host: [::1"), ("NUL", b"Host: x\0")]:
    refused("Host: " + name, get(host=host))
refused("two in HTTP/1.0", get(version=b"HTTP/1.0", host=b"Host: x\r\nHost: y"))
for target in [b"http://", b"http:///g", b"http://a@y/g", b"http://a:b@y/g", b"http://y:99999/g", b"http://y\\@z/g", b"http://y%2f/g",
               b"http://[::1/g", b"ftp://y/g", b"http:/y/g", b"http//y/g"]:
    refused("absolute: " + show(target), get(target=target))
passes("absolute form counts, Host does not", get(target=b"http://y/g"), keeps=[(b"host", b"y")])
passes("absolute form in another case", get(target=b"HTTP://y:80/g"), keeps=[(b"host", b"y:80")])
passes("absolute form without a path", get(target=b"http://y?q"), ("GET", "/?q", b""), keeps=[(b"host", b"y")])
passes("an absolute target in a path", get(target=b"/http://evil/g"), ("GET", "/http://evil/g", b""), keeps=[(b"host", b"x")])
passes("an IPv6 address", get(host=b"Host: [::1]:80"), keeps=[(b"host", b"[::1]:80")])
passes("a port that is empty", get(host=b"Host: x:"), keeps=[(b"host", b"x:")])
for name, host in [("something behind an IPv6 address", b"Host: [::1]x"), ("brackets around nothing", b"Host: []"), ("a zone", b"Host: [fe80::1%25eth0]"), ("a tab in it", b"Host: x\ty"), ("a backslash", b"Host: x\\y"),
                   ("only a port", b"Host: :80"), ("a port with a sign", b"Host: x:+80"), ("a port of another script", b"Host: x:\xd9\xa8"), ("a port of blanks", b"Host: x: 80"), ("quotes", b'Host: "x"'), ("one in front of the line", b" Host: y\r\nHost: x")]:
    refused("Host: " + name, get(host=host))
for target in [b"https://y:443\\@z/g", b"http://y:/g", b"http://[::1]:80/g", b"HTTPS://Y/g"]:
    TABLE.add("absolute, or refused: " + show(target), get(target=target) + AFTER, EITHER)
refused("absolute form, and two Hosts", get(target=b"http://y/g", host=b"Host: x\r\nHost: y"))
refused("absolute form, and a Host that is none", get(target=b"http://y/g", host=b"Host: a@b"))
refused("absolute form and no Host", get(target=b"http://y/g", host=b""))

family("hop by hop", "RFC 9110 section 7.6.1; Davison, Abusing HTTP hop-by-hop request headers, 2019")
KEPT = [(b"cookie", b"a=b"), (b"authorization", b"z"), (b"x-forwarded-for", b"1")]
for name in [b"Host", b"Content-Length", b"Transfer-Encoding", b"Cookie", b"Authorization", b"X-Forwarded-For", b"Content-Type", b"Via", b"Expect"]:
    passes("Connection: " + show(name), post(b"Connection: " + name, LENGTH % 5, b"Cookie: a=b", b"Authorization: z", b"X-Forwarded-For: 1", body=b"hello"),
           HELD, keeps=[*KEPT, (b"host", b"x")])
    passes("chunked, Connection: " + show(name), post(b"Connection: " + name, CHUNKED, body=HELLO), HELD)
for options in [b"close", b"Close", b"close, keep-alive", b"keep-alive, close", b",,,close"]:
    passes("ends: Connection: " + show(options), post(b"Connection: " + options, LENGTH % 5, body=b"hello"), HELD, last=True, source="RFC 9112 section 9.6")
passes("named fields go", get(b"Connection: x-one, X-TWO", b"X-One: 1", b"x-two: 2", b"X-Three: 3"), lacks=[b"x-one", b"x-two"], keeps=[(b"x-three", b"3")])
passes("fields of one hop go", get(b"Keep-Alive: 1", b"Proxy-Connection: close", b"TE: gzip, trailers", b"Proxy-Authorization: x", b"Connection: TE"))
passes("TE is not Transfer-Encoding", post(b"TE: chunked", LENGTH % 5, body=b"hello"), HELD)
for value in [b"trailers, chunked", b"chunked;q=0.5", b"identity", b"", b"\xff"]:
    passes("TE: " + show(value), post(b"TE: " + value, b"Connection: TE", CHUNKED, body=HELLO), HELD, lacks=[b"te"])
passes("Connection in two fields", post(b"Connection: x-one", b"Connection: content-length", b"X-One: 1", LENGTH % 5, body=b"hello"), HELD, lacks=[b"x-one"])
passes("options of high bytes and quotes", post(b'Connection: "close", \xe9, x y', LENGTH % 5, body=b"hello"), HELD)
passes("Connection names itself", get(b"Connection: connection"))
refused("100 options", get(b"Connection: " + b",".join(b"a%d" % number for number in range(100))))

family("expectations", "RFC 9110 section 10.1.1")
for value in [b"100-continue", b"100-Continue", b" 100-continue\t"]:
    passes(show(value), post(b"Expect: " + value, LENGTH % 5, body=b"hello"), HELD)
    passes("chunked, " + show(value), post(b"Expect: " + value, CHUNKED, body=HELLO), HELD)
    passes("without a body, " + show(value), get(b"Expect: " + value))
passes("of HTTP/1.0", post(b"Expect: 100-continue", LENGTH % 5, body=b"hello", version=b"HTTP/1.0"), HELD, last=True)
for value in [b"y 100-continue", b"100-continue 100-continue", b"100-continue\x0b", b"\x00100-continue", b'"100-continue"', b"100 continue", b"100-continu", b"100-continue,", b""]:
    refused(show(value) or "nothing", post(b"Expect: " + value, LENGTH % 5, body=b"hello"), "RFC 9110 section 10.1.1; Kettle, HTTP/1.1 Must Die, 2025")
refused("folded", post(b"Expect:\r\n 100-continue", LENGTH % 5, body=b"hello"))
refused("behind a space", post(b" Expect: 100-continue", LENGTH % 5, body=b"hello"))
passes("twice", post(b"Expect: 100-continue", b"expect: 100-Continue", LENGTH % 5, body=b"hello"), HELD)
passes("three in a row", post(b"Expect: 100-continue", LENGTH % 5, body=b"hello") * 3, HELD, HELD, HELD, source="Kettle, HTTP/1.1 Must Die, 2025")
passes("a request as the body", post(b"Expect: 100-continue", LENGTH % len(SMUGGLED), body=SMUGGLED), ("POST", "/p", SMUGGLED), source="Kettle, HTTP/1.1 Must Die, 2025")
for method in ["GET", "HEAD", "OPTIONS", "DELETE"]:
    passes(f"{method} with a body", message(f"{method} /g HTTP/1.1".encode(), b"Expect: 100-continue", LENGTH % len(SMUGGLED), body=SMUGGLED), (method, "/g", SMUGGLED), source="Kettle, HTTP/1.1 Must Die, 2025")
for value in [b"x", b"100-continue, x", b"200-ok", b"100-continue;a=b"]:
    refused(show(value), post(b"Expect: " + value, LENGTH % 5, body=b"hello"))

family("upgrades", "RFC 9110 section 7.8; Bishop Fox, h2c smuggling, 2020")
for value in [b"h2c", b"TLS/1.0", b"HTTP/2.0", b"", b"websocket/13"]:
    passes(show(value) or "nothing", get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + value, b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), lacks=[b"upgrade"])
passes("of h2c and websocket only websocket", get(b"Connection: Upgrade", b"Upgrade: h2c, websocket"), keeps=[(b"upgrade", b"websocket")])
passes("websocket, which the upstream refuses", get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777"), source="Egorov, What is wrong with WebSocket APIs, 2019")
passes("websocket with a body", post(b"Connection: Upgrade", b"Upgrade: websocket", LENGTH % len(SMUGGLED), body=SMUGGLED), ("POST", "/p", SMUGGLED), lacks=[b"upgrade"])
passes("websocket with chunks", post(b"Connection: Upgrade", b"Upgrade: websocket", CHUNKED, body=HELLO), HELD, lacks=[b"upgrade"])
passes("websocket of HTTP/1.0", get(b"Connection: Upgrade, keep-alive", b"Upgrade: websocket", version=b"HTTP/1.0"), lacks=[b"upgrade"])
passes("websocket that Connection does not name", get(b"Upgrade: websocket"), lacks=[b"upgrade"])
WEBSOCKET = get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
passes("websocket that is refused, and requests behind it", WEBSOCKET + get() + post(LENGTH % 5, body=b"hello"), ("GET", "/g", b""), ("GET", "/g", b""), HELD)
passes("two of them in a row, both refused", WEBSOCKET * 2, *[("GET", "/g", b"")] * 2)
passes("websocket behind other requests", get() + post(LENGTH % 5, body=b"hello") + WEBSOCKET, ("GET", "/g", b""), HELD, ("GET", "/g", b""))
refused("a frame behind a websocket that is refused", WEBSOCKET + b"\x81\x05hello")
passes("Upgrade in two fields", get(b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: websocket"), keeps=[(b"upgrade", b"websocket")])
passes("websocket with a length of 0", get(b"Connection: Upgrade", b"Upgrade: websocket", LENGTH % 0))

family("methods", "RFC 9110 section 9; Kettle, Browser-Powered Desync Attacks, 2022")
for method in ["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "get", "head", "PROPFIND"]:
    passes(f"{method} with a body", message(f"{method} /g HTTP/1.1".encode(), LENGTH % len(SMUGGLED), body=SMUGGLED), (method, "/g", SMUGGLED))
    passes(f"{method} with chunks", message(f"{method} /g HTTP/1.1".encode(), CHUNKED, body=HELLO), (method, "/g", b"hello"))
passes("HEAD with a body", message(b"HEAD /g HTTP/1.1", LENGTH % len(SMUGGLED), body=SMUGGLED), ("HEAD", "/g", SMUGGLED))
passes("HEAD with chunks and trailers", message(b"HEAD /g HTTP/1.1", CHUNKED, body=chunked(SMUGGLED, trailers=b"X: y\r\n")), ("HEAD", "/g", SMUGGLED))
passes("HEAD between bodies", post(LENGTH % 5, body=b"hello") + message(b"HEAD /g HTTP/1.1") + post(CHUNKED, body=HELLO) + message(b"HEAD /g HTTP/1.1"),
       HELD, ("HEAD", "/g", b""), HELD, ("HEAD", "/g", b""))
passes("TRACE", message(b"TRACE /g HTTP/1.1"), ("TRACE", "/g", b""))
passes("TRACE with a body", message(b"TRACE /g HTTP/1.1", LENGTH % len(SMUGGLED), body=SMUGGLED), ("TRACE", "/g", SMUGGLED))
refused("CONNECT behind HEAD and POST", message(b"HEAD /g HTTP/1.1") + post(LENGTH % 5, body=b"hello") + b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + SMUGGLED, "RFC 9110 section 9.3.6")
refused("CONNECT with a tunnel's bytes", b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n\x16\x03\x01", "RFC 9110 section 9.3.6")
for name, raw in [("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n"), ("CONNECT with a body", message(b"CONNECT x:80 HTTP/1.1", LENGTH % 5, body=b"hello")),
                  ("CONNECT with chunks", message(b"CONNECT x:80 HTTP/1.1", CHUNKED, body=chunked())), ("CONNECT without a port", message(b"CONNECT x HTTP/1.1")),
                  ("CONNECT to a path", message(b"CONNECT / HTTP/1.1"))]:
    refused(name, raw, "RFC 9110 section 9.3.6")

family("sequences", "RFC 9112 sections 9.3.2 and 9.6")
passes("ten", b"".join(get(target=b"/%d" % number) for number in range(10)), *[("GET", f"/{number}", b"") for number in range(10)])
passes("two hundred", b"".join(get(target=b"/%d" % number) for number in range(200)), *[("GET", f"/{number}", b"") for number in range(200)])
passes("chunks and lengths by turns", (post(CHUNKED, body=HELLO) + post(LENGTH % 5, body=b"hello")) * 10, *[HELD] * 20)
MIXED = ["GET", "POST", "HEAD", "PUT", "POST", "HEAD", "BREW"] * 4
passes("all methods mixed", b"".join(message(b"%s /%d HTTP/1.1" % (method.encode(), number), LENGTH % 3, body=b"abc") for number, method in enumerate(MIXED)),
       *[(method, f"/{number}", b"abc") for number, method in enumerate(MIXED)])
refused("a bad one behind three", get() * 3 + b"GET /g HTTP/1.1\nHost: x\r\n\r\n" + SMUGGLED)
passes("nothing behind close", get(b"Connection: close") + post(LENGTH % 5, body=b"hello") + SMUGGLED, last=True)
TABLE.add("cut in the head: nobody asked", b"GET /g HTTP/1.1\r\nHost: x\r\nX: ", [])
TABLE.add("cut in the body", post(LENGTH % 50, body=b"hello"), REFUSED)
TABLE.add("cut in a chunk", post(CHUNKED, body=b"ff\r\nhello"), REFUSED)
TABLE.add("cut before the last chunk", post(CHUNKED, body=b"5\r\nhello\r\n"), REFUSED)
TABLE.add("cut in the trailers", post(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\n"), REFUSED)

family("half closed at every byte", "RFC 9112 section 8; RFC 9110 section 9.2")
for name, raw in [("a length", post(LENGTH % 12, body=b"hello world!")), ("chunks", post(CHUNKED, body=b"5;e=f\r\nhello\r\n7\r\n world!\r\n0\r\nX-T: v\r\n\r\n")),
                  ("an expectation", post(b"Expect: 100-continue", LENGTH % 3, body=b"abc"))]:
    for cut in range(1, len(raw)):
        TABLE.add(f"{name}, at {cut} of {len(raw)}", raw[:cut], REFUSED if cut >= raw.index(CRLF + CRLF) + 4 else [])
    TABLE.add(f"{name}, at its end", raw, [("POST", "/p", {"a length": b"hello world!", "chunks": b"hello world!"}.get(name, b"abc"))])
