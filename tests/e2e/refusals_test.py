"""What a script gets wrong in ways that only show when it runs: an answer all the same, and a log that says why."""

from play import get, main, ok, same, scene, serving, yes


def answered(stage, script, request=None):
    """The answer of a script to one request, and the log."""
    proxy = stage.proxy(script)
    client = stage.client(proxy)
    answer = client.ask(request or get("/x"))
    return answer, proxy


@scene("a route that leads in a circle by its function is a 500 and not the end of memory")
def circle(stage):
    answer, proxy = answered(stage, """
      listen($proxy):demuxHTTP("a")
      pipeline("a"):route(function() return "b" end)
      pipeline("b"):route(function() return "a" end)
    """)
    same(answer.status, 500)
    proxy.wait_log("routes in a row")


@scene("a function that routes messages to a pipeline of bytes is a 500 that says so")
def bytes_for_messages(stage):
    answer, proxy = answered(stage, """
      listen($proxy):demuxHTTP("a")
      pipeline("a"):route(function(ctx) return ctx.request.path == "/x" and "up" or "web" end)
      pipeline("web"):muxHTTP("up")
      pipeline("up"):connect("127.0.0.1:1")
    """)
    same(answer.status, 500)
    proxy.wait_log('"up" takes bytes, and here are HTTP messages')


@scene("a message that replaceMessage drops is a 500, on either side")
def dropped(stage):
    answer, proxy = answered(stage, """
      listen($proxy):demuxHTTP("a")
      pipeline("a"):replaceMessage(function() return false end):replaceMessage(Message "never")
    """)
    same(answer.status, 500)
    proxy.wait_log("dropped the message")
    answer, _ = answered(stage, """
      listen($proxy):demuxHTTP("a")
      pipeline("a"):replaceMessage(Message "x"):replaceMessageStart(function() return false end)
    """)
    same(answer.status, 500)


@scene("a body that replaceMessageBody drops is an empty one")
def dropped_body(stage):
    answer, _ = answered(stage, """
      listen($proxy):demuxHTTP("a")
      pipeline("a"):replaceMessage(Message "x"):replaceMessageBody(function() return false end)
    """)
    same((answer.status, answer.body), (200, b""))


@scene("requests behind the last one of a connection are not done, for nobody would get their answer")
def behind_the_last(stage):
    script = """
      listen($proxy):serveHTTP(function(req) log.info("did " .. req.path); return Message(req.path) end%s)
    """
    proxy = stage.proxy(script % ", { maxMessages = 3 }")
    client = stage.client(proxy)
    client.send("".join(get(f"/{number}") for number in range(1, 6)))
    same([client.response().body for _ in range(3)], [b"/1", b"/2", b"/3"])
    client.ends()
    proxy.wait_log("did /3")
    same([f"did /{number}" in proxy.log.text() for number in range(1, 6)], [True, True, True, False, False])
    proxy = stage.proxy(script % "")
    client = stage.client(proxy)
    client.send(get("/1") + get("/2", "Connection: close") + get("/3"))
    same([client.response().body for _ in range(2)], [b"/1", b"/2"])
    client.ends()
    proxy.wait_log("did /2")
    yes("did /3" not in proxy.log.text(), proxy.log.text())


@scene("handleExchangeEnd knows how many bytes the answer had, wherever they came from")
def body_size(stage):
    upstream = stage.upstream(serving(lambda request: ok("x" * 45)))
    proxy = stage.proxy("""
      local function note(ctx) log.info("size of " .. ctx.request.path .. ": " .. ctx.response.bodySize) end
      listen($proxy):demuxHTTP("a")
      pipeline("a"):handleExchangeEnd(note):route(function(ctx) return ctx.request.path == "/up" and "up" or "own" end)
      pipeline("up"):muxHTTP(pipeline():connect("127.0.0.1:$upstream"))
      pipeline("own"):replaceMessage(Message "four")
    """, upstream=upstream.port)
    client = stage.client(proxy)
    client.ask(get("/up"))
    client.ask(get("/own"))
    client.close()
    for line in ("size of /up: 45", "size of /own: 4"):
        proxy.wait_log(line)


if __name__ == "__main__":
    main()
