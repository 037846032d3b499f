"""Clients that notice everything: a request without its answer, a connection that the server closed.

    steady_clients.py PORT [--connections 64] [--newcomers 4] [--think 0.01] [--record FILE]

Keeps connections busy until its standard input ends, lets the last answers come, and prints what happened as JSON. The
server has to answer each request with its path as the body. --record writes a line "moment seconds" for each answer, the
moment by time.monotonic().
"""

import argparse
import errno
import heapq
import json
import os
import random
import selectors
import socket
import sys
import time

# Behind the end of the standard input: for answers that are under way.
PATIENCE = 10


class Counts:
    def __init__(self):
        self.answers = 0
        self.lost = 0          # a request was sent whole, or tried to be, and no whole right answer came
        self.closed = 0        # a connection that was to stay was closed, or announced to be
        self.refused = 0       # a new connection could not be made
        self.what = []         # the first of what went wrong, in words
        self.seconds = []
        self.versions = {}

    def wrong(self, text):
        if len(self.what) < 10:
            self.what.append(text)


class Client:
    """One connection after the other; `stays`: as long as the server lets it."""

    def __init__(self, crowd, name, stays):
        self.crowd, self.name, self.stays = crowd, name, stays
        self.sock = None
        self.number = 0
        self.begun = None
        self.version = None

    def connect(self):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.sock.connect_ex(("127.0.0.1", self.crowd.port))
        self.is_connected = False
        self.received = b""
        if code not in (0, errno.EINPROGRESS):
            return self.fail_connect(os.strerror(code))
        self.crowd.selector.register(self.sock, selectors.EVENT_WRITE, self)

    def fail_connect(self, why):
        self.crowd.counts.refused += 1
        self.crowd.counts.wrong(f"{self.name} could not connect: {why}")
        self.drop()
        self.crowd.later(0.05, self)

    def drop(self):
        if self.sock:
            try:
                self.crowd.selector.unregister(self.sock)
            except KeyError:
                pass
            self.sock.close()
        self.sock = None

    def wake(self):
        """Its pause is over."""
        if self.crowd.is_ending:
            return
        if self.sock is None:
            self.connect()
        else:
            self.ask()

    def ask(self):
        self.number += 1
        self.path = f"/{self.name}/{self.number}"
        close = "" if self.stays else "Connection: close\r\n"
        self.begun = time.monotonic()
        try:
            self.sock.send(f"GET {self.path} HTTP/1.1\r\nHost: steady\r\n{close}\r\n".encode())
        except OSError as error:
            self.over(os.strerror(error.errno))

    def on_event(self):
        if not self.is_connected:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                return self.fail_connect(os.strerror(code))
            self.is_connected = True
            self.crowd.selector.modify(self.sock, selectors.EVENT_READ, self)
            return self.ask()
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            return self.over(os.strerror(error.errno))
        if not data:
            return self.over("the server closed")
        self.received += data
        self.read()

    def over(self, why):
        counts = self.crowd.counts
        if self.begun is not None:
            counts.lost += 1
            counts.wrong(f"{self.path} lost: {why}, after {len(self.received)} bytes")
            self.begun = None
        if self.stays:
            counts.closed += 1
        self.drop()
        self.crowd.later(0, self)

    def read(self):
        head, mark, body = self.received.partition(b"\r\n\r\n")
        if not mark:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        size = int(fields.get(b"content-length", b"0"))
        if len(body) < size:
            return
        counts = self.crowd.counts
        if self.begun is None:
            counts.lost += 1
            return self.over("bytes that nobody asked for")
        now = time.monotonic()
        if head[9:12] != b"200" or body != self.path.encode():
            counts.lost += 1
            counts.wrong(f"{self.path} got {head[:40]!r} with {body[:40]!r}")
        else:
            counts.answers += 1
            counts.seconds.append((self.begun, now - self.begun))
        self.begun = None
        self.received = b""
        self.version = fields.get(b"x-version", b"").decode()
        is_announced = fields.get(b"connection", b"").lower() == b"close"
        if self.stays and is_announced:
            counts.closed += 1
        if not self.stays or is_announced:
            self.drop()
        self.crowd.later(self.crowd.pause(), self)


class Crowd:
    def __init__(self, options):
        self.port = options.port
        self.think = options.think
        self.counts = Counts()
        self.selector = selectors.DefaultSelector()
        self.waiting = []
        self.is_ending = False
        self.dice = random.Random(1)
        self.clients = [Client(self, f"k{i}", True) for i in range(options.connections)]
        self.clients += [Client(self, f"n{i}", False) for i in range(options.newcomers)]

    def pause(self):
        return self.dice.random() * 2 * self.think

    def later(self, seconds, client):
        heapq.heappush(self.waiting, (time.monotonic() + seconds, id(client), client))

    def run(self):
        for client in self.clients:
            self.later(self.pause(), client)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        ends_at = None
        while not ends_at or (time.monotonic() < ends_at and any(client.begun for client in self.clients)):
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                heapq.heappop(self.waiting)[2].wake()
            wait = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.1
            for key, _ in self.selector.select(min(wait, 0.1)):
                if key.data:
                    key.data.on_event()
                elif not sys.stdin.buffer.raw.read(100):
                    self.selector.unregister(sys.stdin)
                    self.is_ending = True
                    ends_at = time.monotonic() + PATIENCE
        for client in self.clients:
            if client.begun is not None:
                self.counts.lost += 1
                self.counts.wrong(f"{client.path} was not answered in {PATIENCE} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--newcomers", type=int, default=4)
    parser.add_argument("--think", type=float, default=0.01)
    parser.add_argument("--record")
    options = parser.parse_args()
    crowd = Crowd(options)
    crowd.run()
    counts = crowd.counts
    if options.record:
        with open(options.record, "w") as file:
            file.writelines(f"{begun:.6f} {took:.6f}\n" for begun, took in counts.seconds)
    took = sorted(seconds for _, seconds in counts.seconds) or [0]
    stayed = [client.version for client in crowd.clients if client.stays]
    print(json.dumps({
        "answers": counts.answers, "lost": counts.lost, "closed": counts.closed, "refused": counts.refused,
        "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100], "max": took[-1],
        "versions": {version: stayed.count(version) for version in set(stayed)}, "what": counts.what}))


main()
