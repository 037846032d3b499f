"""The lesson in front of real nginx, driven by curl and wrk."""

import os
import re

from play import body_of, digest, get, main, same, scene, yes

LESSON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tutorial/03-connection-pool/main.lua")

SERVER = """
location / { add_header X-From nginx; try_files $uri =404; }
location /small { return 200 "small body of nginx"; }
location /hi { return 200 "hi from $request_uri"; }
location = /limited { client_max_body_size 1k; proxy_pass http://127.0.0.1:1; }
location /stub { stub_status; }
"""


def lesson(stage, server=SERVER, workers=1):
    """The lesson's script on other ports, in front of one nginx for both targets."""
    port = stage.nginx(server)
    with open(LESSON) as file:
        script = file.read()
    for own, placeholder in [("listen(8000)", "listen($proxy)"), ("127.0.0.1:8080", "127.0.0.1:$upstream"), ("127.0.0.1:8081", "127.0.0.1:$upstream")]:
        yes(own in script, f"the lesson does not have {own}")
        script = script.replace(own, placeholder)
    return stage.proxy(script, {"workers": workers}, upstream=port), port


def curl(stage, proxy, path, *words):
    """(status, body) by curl."""
    out = stage.path("curl.out")
    done = stage.run("curl", "-sS", "-o", out, "-w", "%{http_code}", *words, f"http://127.0.0.1:{proxy.port['proxy']}{path}")
    with open(out, "rb") as file:
        return int(done.stdout), file.read()


@scene("curl: both routes, HEAD, a range, a file of 64 MiB, a 404 of nginx and one of the lesson")
def by_curl(stage):
    proxy, _ = lesson(stage)
    body = body_of(64 << 20)
    with open(stage.path("nginx/big"), "wb") as file:
        file.write(body)
    same(curl(stage, proxy, "/small"), (200, b"small body of nginx"))
    same(curl(stage, proxy, "/hi/you?a=b"), (200, b"hi from /hi/you?a=b"))
    status, got = curl(stage, proxy, "/big")
    same((status, digest(got)), (200, digest(body)))
    same(curl(stage, proxy, "/big", "-r", "5-9"), (206, body[5:10]))
    status, _ = curl(stage, proxy, "/nothing")
    same(status, 404)
    same(curl(stage, proxy, "/", "-X", "OPTIONS", "--request-target", "*"), (404, b"No route"))
    head = stage.run("curl", "-sSI", f"http://127.0.0.1:{proxy.port['proxy']}/big").stdout.decode()
    yes(f"Content-Length: {64 << 20}" in head and "X-From: nginx" in head, head)


@scene("curl sends a body that nginx refuses at its head: 413, with and without Expect")
def refused_body(stage):
    proxy, _ = lesson(stage)
    with open(stage.path("body"), "wb") as file:
        file.write(bytes(300_000))
    for words in [["-H", "Expect:"], ["-H", "Expect: 100-continue"]]:
        status, _ = curl(stage, proxy, "/limited", "--data-binary", "@" + stage.path("body"), *words)
        same(status, 413, str(words))


def wrk(stage, proxy, seconds, path="/small", connections=64):
    """(requests, complaints) by wrk."""
    text = stage.run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{proxy.port['proxy']}{path}").stdout.decode()
    requests = int(re.search(r"(\d+) requests in", text)[1])
    return requests, re.findall(r"(?:Socket errors|Non-2xx).*", text)


@scene("wrk with 64 connections: not one error, a connection to nginx for each, and none left over")
def by_wrk(stage):
    proxy, port = lesson(stage)
    requests, complaints = wrk(stage, proxy, 4)
    print(f"# {requests} requests in 4 s")
    same(complaints, [])
    yes(requests > 500, f"{requests} requests")
    handled = re.search(r"(\d+) (\d+) (\d+)", stage.client(port).ask(get("/stub", "Connection: close")).body.decode())
    yes(int(handled[1]) <= 64 + 3, f"{handled[1]} connections to nginx for 64 sessions")


@scene("wrk with 64 connections over one pipelined connection to nginx: not one error, one connection, every answer right")
def wrk_pipelined(stage):
    port = stage.nginx(SERVER)
    proxy = stage.proxy("""
listen($proxy):demuxHTTP(pipeline()
  :muxHTTP(pipeline():connect("127.0.0.1:$upstream"), "shared", { pipelining = 64 }))
""", upstream=port)
    requests, complaints = wrk(stage, proxy, 3, "/hi/wrk")
    print(f"# {requests} requests in 3 s")
    same(complaints, [])
    # While wrk runs again, the answers of others are checked, each for its own request.
    runner = stage.in_thread(lambda: same(wrk(stage, proxy, 2, "/hi/wrk")[1], []))
    clients = [stage.client(proxy) for _ in range(8)]
    turn = 0
    while runner.is_alive():
        turn += 1
        for number, client in enumerate(clients):
            client.send(get(f"/hi/{turn}/{number}"))
        for number, client in enumerate(clients):
            same(client.response().body.decode(), f"hi from /hi/{turn}/{number}")
    runner.join()
    accepted = int(re.search(r"(\d+) (\d+) (\d+)", stage.client(port).ask(get("/stub", "Connection: close")).body.decode())[1])
    # This asking is one, finding out that nginx listens was another; the pipelined one is the third.
    same(accepted, 3, "connections that nginx accepted")


@scene("nginx closes each connection after a few requests, two workers: wrk sees no error")
def few_requests(stage):
    proxy, _ = lesson(stage, SERVER + "keepalive_requests 10;", workers=2)
    requests, complaints = wrk(stage, proxy, 2)
    same(complaints, [])
    yes(requests > 100, f"{requests} requests")


@scene("nginx closes idle connections after a second: requests before, at and after that are all answered")
def idle_closed(stage):
    import time

    proxy, _ = lesson(stage, SERVER + "keepalive_timeout 1s;")
    client = stage.client(proxy)
    for pause in [0, 0.95, 1.0, 1.05, 1.2, 0]:
        time.sleep(pause)
        same(client.ask(get("/small")).body, b"small body of nginx", f"after {pause} s")


main()
