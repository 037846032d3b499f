"""Names and the servers that know them."""

import contextlib
import os
import pwd
import subprocess

import play
from play import Lines, free_port, get, main, same, scene, until, yes

SCRIPT = """
listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect("api.test:$upstream")))
"""


@contextlib.contextmanager
def dnsmasq(*zone):
    """A name server with that zone and nothing else; gives its address."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    for _ in range(5):
        port = free_port()
        process = subprocess.Popen(
            ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--no-resolv",
             "--no-hosts", "--local=/#/", "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=",
             f"--port={port}", f"--user={user}", *zone],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        log = Lines(process.stderr)
        until(lambda: log.matching("started, version") or process.poll() is not None, "dnsmasq to start")
        if process.poll() is None:
            break
    try:
        yes(process.poll() is None, f"dnsmasq ended with {process.returncode}:\n{log.text()}")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        log.thread.join(1)
        process.stderr.close()


@scene("--dns names the servers that are asked, and not those of the system")
def own_servers(stage):
    upstream = stage.upstream()
    with dnsmasq("--host-record=api.test,127.0.0.1") as server:
        proxy = stage.proxy(SCRIPT, {"words": ["--dns", server]}, upstream=upstream.port)
        same(stage.client(proxy).ask(get("/a")).body, b"/a")


@scene("a name that does not exist and one without an address are a 502 each, and told apart in the log")
def missing(stage):
    with dnsmasq("--txt-record=api.test,hello") as server:
        proxy = stage.proxy(SCRIPT, {"words": ["--dns", server]}, upstream=1)
        same(stage.client(proxy).ask(get("/a")).status, 502)
        proxy.wait_log("resolve-failure.*api.test: the name has no address")
    with dnsmasq() as server:
        proxy = stage.proxy(SCRIPT, {"words": [f"--dns={server}"]}, upstream=1)
        same(stage.client(proxy).ask(get("/a")).status, 502)
        proxy.wait_log("resolve-failure.*api.test: no such name")


@scene("a server that is no address is a wrong command line")
def wrong_servers(stage):
    path = stage.path("any.lua")
    with open(path, "w") as file:
        file.write("after(0, function() end)")
    for servers in ["dns.example", "127.0.0.1:port", "::1", "", "127.0.0.1,"]:
        done = stage.run(play.BINARY, "run", f"--dns={servers}", path, check=False)
        same(done.returncode, 2, servers)
        yes(b"--dns" in done.stderr and b"DNS server" in done.stderr, done.stderr)


main()
