"""Clusters in front of real nginx: restarts, idle connections that it closes, members by a real DNS server."""

import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time

from play import End, Failure, free_port, get, main, post, same, scene, until, yes

# A connection that was accepted and carried no request yet holds nginx's graceful end for client_header_timeout.
SERVER = """
client_header_timeout 1s;
location / { return 200 "$server_port $request_method $request_uri"; }
location /stub { stub_status; }
"""
# The time that a run under load takes: a minute when somebody asks for the whole thing.
LOAD_SECONDS = int(os.environ.get("UPSTREAM_SECONDS", "8"))

CLUSTER = """
local api = upstream("api", { endpoints = { "127.0.0.1:$a", "127.0.0.1:$b", "127.0.0.1:$c" }, retry = { attempts = 3 },
  -- Half of the requests may be on the endpoint that goes away, and all of them want to go elsewhere at once.
  retryBudget = { percent = 100 } })
listen($proxy):demuxHTTP(pipeline():forward(api))
"""


@scene("nginx upstreams are restarted one after the other under wrk: not one request fails")
def rolling_restart(stage):
    ports = {name: stage.nginx(SERVER, name) for name in "abc"}
    proxy = stage.proxy(CLUSTER, {"workers": 2}, **ports)
    result = []

    def load():
        text = stage.run("wrk", "-t1", "-c64", f"-d{LOAD_SECONDS}s", f"http://127.0.0.1:{proxy.port['proxy']}/x").stdout.decode()
        result.append((int(re.search(r"(\d+) requests in", text)[1]), re.findall(r"(?:Socket errors|Non-2xx).*", text)))

    runner = stage.in_thread(load)
    restarts = 0
    begun = time.monotonic()
    time.sleep(0.5)
    while time.monotonic() - begun < LOAD_SECONDS - 1.5:
        for name, port in ports.items():
            # By turns: finish what is under way, or drop it.
            stage.end_nginx(port, signal.SIGTERM if restarts % 2 else signal.SIGQUIT)
            time.sleep(0.2)
            stage.nginx(SERVER, name, port)
            restarts += 1
            time.sleep(0.3)
    runner.join(LOAD_SECONDS + 30)
    requests, complaints = result[0]
    print(f"# {requests} requests in {LOAD_SECONDS} s, {restarts} restarts")
    same(complaints, [])
    yes(restarts >= 6, f"{restarts} restarts")
    yes(requests > 1000, f"{requests} requests")


@scene("nginx closes idle connections after a second, which nobody told the proxy: no GET and no POST fails")
def idle_race(stage):
    port = stage.nginx(SERVER + "keepalive_timeout 1s;")
    proxy = stage.proxy("""
local api = upstream("api", { endpoints = { "127.0.0.1:$upstream" } })
listen($proxy):demuxHTTP(pipeline():forward(api))
""", {"workers": 2}, upstream=port)
    problems = []
    counts = {"GET": 0, "POST": 0}
    end = time.monotonic() + LOAD_SECONDS + 2

    def client(number):
        wire = stage.client(proxy)
        turn = 0
        while time.monotonic() < end:
            # Around the second at which nginx closes.
            time.sleep(0.985 + 0.003 * ((number * 7 + turn * 3) % 11))
            turn += 1
            method = "POST" if (number + turn) % 2 else "GET"
            try:
                answer = wire.ask(post("x", "/p") if method == "POST" else get("/g"))
                if answer.status != 200:
                    problems.append(f"{method}: {answer.status} {answer.body!r}")
                counts[method] += 1
            except (End, Failure) as error:
                problems.append(f"{method}: {error}")
                return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"# {counts['GET']} GETs and {counts['POST']} POSTs about a second apart")
    same(problems, [])
    yes(counts["GET"] > 100 and counts["POST"] > 100, str(counts))


def connections_to(port):
    """Sockets on this machine that are connected to the port, or about to be: the ports of those that dialled."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    established, connecting = "01", "02"
    return {row[1] for row in rows if int(row[2].split(":")[1], 16) == port and row[3] in (established, connecting)}


@scene("a connection limit holds for two workers together: there are never more sockets")
def exact_limit(stage):
    port = stage.nginx(SERVER + "keepalive_requests 1000000;\n")
    proxy = stage.proxy("""
local api = upstream("api", { endpoints = { "127.0.0.1:$upstream" }, maxConnections = 5, queueTimeout = "30s" })
listen($proxy):demuxHTTP(pipeline():forward(api))
""", {"workers": 2}, upstream=port)
    looks = []
    is_over = threading.Event()

    def watch():
        while not is_over.is_set():
            looks.append(connections_to(port))

    watcher = stage.in_thread(watch)
    text = stage.run("wrk", "-t1", "-c64", "-d3s", f"http://127.0.0.1:{proxy.port['proxy']}/x").stdout.decode()
    is_over.set()
    watcher.join()
    same(re.findall(r"(?:Socket errors|Non-2xx).*", text), [])
    # A look takes its time, in which one connection may end and another begin: only what the next look sees too was
    # there at once.
    seen = [len(one & other) for one, other in itertools.pairwise(looks)]
    print(f"# {re.search(r'([0-9]+) requests in', text)[1]} requests, at most {max(seen)} sockets in {len(looks)} looks")
    same(max(seen), 5)


def answers(port):
    """A DNS server is there: it says something about api.test (RFC 1035 section 4.1)."""
    question = b"\1\2\1\0\0\1\0\0\0\0\0\0" + b"\3api\4test\0" + b"\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        udp.connect(("127.0.0.1", port))
        try:
            udp.send(question)
            return len(udp.recv(512)) > 12
        except OSError:
            return False


@scene("members come from a real DNS server, and follow what it says")
def by_dns(stage):
    a, b = stage.nginx(SERVER, "a"), stage.nginx(SERVER, "b")
    dns_port = free_port()
    hosts = stage.path("hosts")

    def dnsmasq(port):
        with open(hosts, "w") as file:
            file.write("127.0.0.1 api.test\n")
        process = subprocess.Popen(
            ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={dns_port}", "--listen-address=127.0.0.1",
             "--bind-interfaces", "--pid-file=", "--user=root", "--local-ttl=1", "--local=/test/",
             f"--addn-hosts={hosts}", f"--srv-host=_http._tcp.api.test,api.test,{port},0,1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        stage.others.append(process)
        until(lambda: answers(dns_port), "dnsmasq")
        return process

    server = dnsmasq(a)
    proxy = stage.proxy("""
local api = upstream("api", { dns = { name = "_http._tcp.api.test", service = true } })
listen($proxy):demuxHTTP(pipeline():forward(api))
""", {"words": ["--dns", f"127.0.0.1:{dns_port}"]})
    client = stage.client(proxy)
    yes(client.ask(get("/1")).body.startswith(str(a).encode()), "the first member")
    server.terminate()
    server.wait()
    dnsmasq(b)
    until(lambda: stage.client(proxy).ask(get("/2")).body.startswith(str(b).encode()), "the member that DNS says now")


@scene("a thousand upstreams of ten endpoints each in four workers: quick to start, and small")
def many_upstreams(stage):
    lines = []
    for number in range(1000):
        members = ", ".join(f'"10.{number // 250}.{number % 250}.{member}:80"' for member in range(1, 11))
        lines.append(f'local u{number % 100} = upstream("u{number}", {{ endpoints = {{ {members} }} }})')
    # More locals than a Lua function may have: each hundred in a block of its own.
    blocks = "\n".join("do\n" + "\n".join(lines[at:at + 100]) + "\nend" for at in range(0, 1000, 100))
    begun = time.monotonic()
    proxy = stage.proxy(blocks + '\nlisten($proxy):serveHTTP(Message "ok")\n', {"workers": 4})
    same(stage.client(proxy).ask(get("/")).body, b"ok")
    took = time.monotonic() - begun
    with open(f"/proc/{proxy.pid}/status") as file:
        memory = int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) / 1024
    print(f"# {took:.2f} s, {memory:.1f} MiB at most")
    # A debug build and the sanitizers take several times what the release does (1 s, 64 MiB).
    yes(took < 20, f"it took {took} s")


main()
