"""Who the client is, and what the access log says of it."""

import json
import os
import re
import socket

from play import body_of, get, main, ok, same, scene, serving, until, yes

TELLS = """
listen($proxy, { trustedProxies = { %s } }):serveHTTP(function(req, ctx)
  local client = ctx.client
  return Message(client.ip .. " " .. tostring(client.port == nil) .. " " .. ctx.session.client.ip .. " "
    .. tostring(rawequal(client, ctx.client)))
end)
"""


def said(client, *fields):
    return client.ask(get("/", *fields)).body.decode()


@scene("a trusted proxy's X-Forwarded-For names the client, for each request anew")
def trusted(stage):
    proxy = stage.proxy(TELLS % '"10.0.0.0/8", "127.0.0.0/8"')
    client = stage.client(proxy)
    same(said(client), "127.0.0.1 false 127.0.0.1 true")
    same(said(client, "X-Forwarded-For: 203.0.113.7"), "203.0.113.7 true 127.0.0.1 true")
    same(said(client, "X-Forwarded-For: 6.6.6.6, 2001:db8::7, 10.0.0.3", "x-forwarded-for: 127.0.0.2"),
         "2001:db8::7 true 127.0.0.1 true")
    same(said(client, "X-Forwarded-For: unknown"), "127.0.0.1 false 127.0.0.1 true")
    same(said(client), "127.0.0.1 false 127.0.0.1 true")


@scene("nobody else's does")
def not_trusted(stage):
    proxy = stage.proxy(TELLS % '"10.0.0.0/8", "127.0.0.9"')
    same(said(stage.client(proxy), "X-Forwarded-For: 203.0.113.7"), "127.0.0.1 false 127.0.0.1 true")
    same(said(stage.client(proxy, source="127.0.0.9"), "X-Forwarded-For: 203.0.113.7"), "203.0.113.7 true 127.0.0.9 true")


@scene("the header as it came counts, whatever a script does to it later")
def as_received(stage):
    proxy = stage.proxy("""
listen($proxy, { trustedProxies = { "127.0.0.1" } }):demuxHTTP(pipeline()
  :handleMessageStart(function(req) req.headers["x-forwarded-for"] = "6.6.6.6" end)
  :replaceMessage(function(req, ctx) return Message(ctx.client.ip) end))
""")
    same(stage.client(proxy).ask(get("/", "X-Forwarded-For: 203.0.113.7")).body, b"203.0.113.7")


@scene("proxies on a unix socket are trusted where the list says unix")
def unix(stage):
    script = """
local function tell(req, ctx) return Message(ctx.client.ip .. "|") end
listen("unix:$yes", { trustedProxies = { "unix" } }):serveHTTP(tell)
listen("unix:$no", { trustedProxies = { "127.0.0.1" } }):serveHTTP(tell)
"""
    yes_path, no_path = stage.path("yes.sock"), stage.path("no.sock")
    stage.proxy(script, yes=yes_path, no=no_path)
    ask = get("/", "X-Forwarded-For: 203.0.113.7")
    same(stage.client(yes_path).ask(ask).body, b"203.0.113.7|")
    yes(b"203" not in stage.client(no_path).ask(ask).body, "a proxy is believed that nobody named")


COMMON = r'^%s - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "%s" %s$'


def lines_of(source, count):
    """So many lines of the standard output or of a file."""
    def read():
        if isinstance(source, str):
            with open(source, encoding="latin-1") as file:
                return file.read().splitlines()
        return list(source.out)

    lines = until(lambda: len(read()) >= count and read(), f"{count} lines of access log")
    same(len(lines), count, "lines")
    return lines


@scene("accessLog: a line for each request on the standard output, with the path as it came")
def combined(stage):
    upstream = stage.upstream(serving(lambda request: ok(b"x" * 10)))
    proxy = stage.proxy("""
listen($proxy, { accessLog = true, trustedProxies = { "127.0.0.1" } }):demuxHTTP(pipeline()
  :handleMessageStart(function(req)
    if req.path == "/early" then return Message { status = 403, body = "no" } end
    req.path = "/changed"; req.method = "PUT"; req.headers["user-agent"] = "changed"
  end)
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    client = stage.client(proxy)
    client.ask(get('/a?b="c', "User-Agent: me \"and\" \xe4", "Referer: http://x/"))
    client.ask(get("/early", "X-Forwarded-For: 203.0.113.7"))
    client.ask("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD")
    client.ask("BAD\x01LINE\r\n\r\n")
    lines = lines_of(proxy, 4)
    for line, wanted in zip(lines, [
            ("127.0.0.1", r'GET /a\?b=\\"c HTTP/1\.1', r'200 10 "http://x/" "me \\"and\\" (\\xc3)?\\x[ae]4"'),
            ("203.0.113.7", r"GET /early HTTP/1\.1", r'403 2 "-" "-"'),
            ("127.0.0.1", r"HEAD /h HTTP/1\.1", r'200 - "-" "-"'),
            ("127.0.0.1", "-", r'400 \d+ "-" "-"')]):
        yes(re.match(COMMON % wanted, line), f"{line!r} is not {wanted}")


@scene("accessLog in JSON, to a file beside the script; a cut answer and a client that left are in it too")
def as_json(stage):
    def act(wire, number):
        request = wire.request()
        if request.path == "/cut":
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        elif request.path == "/slow":
            wire.over()
        else:
            wire.send(ok(b"body"))

    upstream = stage.upstream(act)
    proxy = stage.proxy("""
listen($proxy, { accessLog = { format = "json", file = "access.log" } })
  :demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
""", upstream=upstream.port)
    log = stage.path("access.log")
    stage.client(proxy).ask(get("/ok?q", "User-Agent: \u00e4\""))
    client = stage.client(proxy)
    client.send(get("/cut"))
    client.rest()
    stage.client(proxy)  # one that asks nothing
    client = stage.client(proxy)
    client.send(get("/slow"))
    until(lambda: len(upstream.requests) == 3, "the third request")
    client.reset()
    records = [json.loads(line) for line in lines_of(log, 3)]
    known = {name: records[0][name] for name in ("client", "method", "path", "protocol", "status", "bytes", "upstream")}
    same(known, {"client": "127.0.0.1", "method": "GET", "path": "/ok?q", "protocol": "HTTP/1.1", "status": 200,
                 "bytes": 4, "upstream": f"127.0.0.1:{upstream.port}"})
    yes(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", records[0]["time"]), records[0]["time"])
    yes(0 <= records[0]["seconds"] < 10 and records[0]["agent"].endswith('"'), f"{records[0]}")
    same([records[1].get(name) for name in ("path", "status", "bytes", "error")], ["/cut", 200, 3, "truncated"])
    same([records[2].get(name) for name in ("path", "status", "bytes", "error")], ["/slow", None, 0, "client-gone"])


@scene("a reader that reads no lines holds up no request")
def unread(stage):
    fifo = stage.path("fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        proxy = stage.proxy("""
listen($proxy, { accessLog = { format = "common", file = "fifo" } }):serveHTTP(Message "x")
""")
        client = stage.client(proxy)
        path = "/" + body_of(15000).hex()[:15000]
        for _ in range(100):
            client.send(get(path) * 20)
            for _ in range(20):
                same(client.response().status, 200)
        yes(proxy.resident() < 200 << 20, "lines that nobody reads pile up")
    finally:
        os.close(reader)


@scene("all workers write to one file, line by line")
def workers(stage):
    proxy = stage.proxy("""
listen($proxy, { accessLog = { file = "access.log" } }):serveHTTP(Message "x")
""", {"workers": 4})
    for i in range(40):
        stage.client(proxy).ask(get(f"/{i}"))
    lines = lines_of(stage.path("access.log"), 40)
    same({re.search(r'"GET /(\d+) ', line)[1] for line in lines}, {str(i) for i in range(40)})


if __name__ == "__main__":
    main()
