"""Clients that misbehave. Each class has a population of tasks; a task visits, rests and visits again.

`visit` may raise what sockets raise. What a defence owes shows in `acted`: how often it was seen to act.
"""

import asyncio
import collections
import time

from .wire import Broken, Wire

QUIET = (OSError, TimeoutError, Broken, ValueError, IndexError)


class Nuisance:
    population = 10
    rest = 0.2
    patience = 12  # seconds, for defences to act

    acted = collections.Counter()  # of all classes, by what was seen
    visits = collections.Counter()
    late = []  # defences that came too late or not at all

    def __init__(self, world, dice):
        self.world = world
        self.dice = dice

    async def run(self):
        while True:
            try:
                await self.visit()
            except QUIET:
                pass
            self.visits[type(self).__name__] += 1
            await asyncio.sleep(self.rest * (0.5 + self.dice.random()))

    async def visit(self):
        raise NotImplementedError

    async def connect(self, port, **options):
        return await Wire.connect(port, source=f"127.0.0.{self.dice.randrange(30, 60)}", **options)

    def either(self):
        """The lesson with its default limits, or the hard listener with short ones."""
        return self.world.lesson if self.dice.random() < 0.5 else self.world.hard

    def leave(self, wire):
        if self.dice.random() < 0.5:
            wire.reset()
        else:
            wire.close()

    def judge(self, what, began, allowed):
        """A defence acted; with what the machine is busy with, twice the time and some seconds are still in time."""
        took = time.monotonic() - began
        if took > allowed * 2 + 4 and not self.world.is_exhausted(began):
            self.late.append(f"{what} after {took:.1f} s instead of {allowed} s")
        self.acted[what] += 1


class SlowHead(Nuisance):
    """A head byte by byte. The hard listener's head timeout ends it."""

    population = 50

    async def visit(self):
        port = self.either()
        async with await self.connect(port) as wire:
            began = time.monotonic()
            pieces = self.dice.choice([b"GET /slow?", b"POST /slow HTTP/1.1\r\nHost: x\r\nX-Slow: "])
            await wire.send(pieces)
            while time.monotonic() - began < self.patience:
                await wire.send(b"a")
                try:
                    data = await wire.receive(patience=0.05 + self.dice.random() * 0.4)
                except TimeoutError:
                    continue
                if port == self.world.hard:
                    self.judge("head-timeout", began, 3)
                return data
            if port == self.world.hard:
                self.late.append(f"a slow head was not ended within {self.patience} s")


class MuteClient(Nuisance):
    """Connects and says nothing."""

    population = 30

    async def visit(self):
        async with await self.connect(self.world.hard) as wire:
            began = time.monotonic()
            await wire.drain(patience=16)
            self.judge("silent connection closed", began, 3)


class SlowBody(Nuisance):
    """A body drop by drop, or one that stops: with a length, or in chunks."""

    population = 40

    async def visit(self):
        port = self.either()
        stops = self.dice.random() < 0.4
        chunked = self.dice.random() < 0.5
        path = self.dice.choice(["/plain/body", "/echo/body", "/wait/body", "/hi/body"])
        framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 100000"
        expect = "Expect: 100-continue\r\n" if self.dice.random() < 0.2 else ""
        async with await self.connect(port) as wire:
            await wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n{expect}{framing}\r\n\r\n".encode())
            began = time.monotonic()
            limit = 1 if stops else 13  # ten seconds of grace, and one for each minBodyRate bytes
            while time.monotonic() - began < 25:
                if not stops:
                    drop = bytes(self.dice.randrange(1, 150))
                    await wire.send(b"%x\r\n%s\r\n" % (len(drop), drop) if chunked else drop)
                try:
                    data = await wire.receive(patience=0.3)
                except TimeoutError:
                    continue
                if data.startswith(b"HTTP/1.1 100"):
                    continue
                if port == self.world.hard and data.startswith(b"HTTP/1.1 408"):
                    self.judge("body stopped: 408" if stops else "body too slow: 408", began, limit)
                return
            if port == self.world.hard:
                self.late.append(f"a slow body (stops: {stops}, chunked: {chunked}) was not ended within 25 s")


class SlowReader(Nuisance):
    """Reads a large or endless answer a little at a time."""

    population = 25

    async def visit(self):
        port, path = self.dice.choice([
            (self.world.lesson, "/big"), (self.world.lesson, "/hi/big"), (self.world.hard, "/bulk/big"),
            (self.world.hard, "/endless")])
        async with await self.connect(port, receive_buffer=8192) as wire:
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            until = time.monotonic() + 2 + self.dice.random() * 4
            while time.monotonic() < until and await wire.receive(self.dice.randrange(1, 6000)):
                await asyncio.sleep(self.dice.random() * 0.1)
            self.leave(wire)


class StoppedReader(Nuisance):
    """Asks for an answer of gigabytes and reads nothing: no progress in sending, so it is cut."""

    population = 15

    async def visit(self):
        async with await self.connect(self.world.hard, receive_buffer=8192) as wire:
            await wire.send(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
            began = time.monotonic()
            waited = 0.0
            while waited < self.patience:
                before = time.monotonic()
                await asyncio.sleep(0.25)
                waited += min(0.3, time.monotonic() - before)  # a loop that is busy itself does not count
                if wire.was_reset():
                    self.judge("reader that stopped is cut", began, 2)
                    return
            # Without a connection to the upstream the answer is a short one: nobody has stopped reading then.
            if wire.peek(12) == b"HTTP/1.1 200" and not self.world.is_exhausted(began):
                self.late.append(f"a reader that stopped was not cut within {self.patience} s")


class Aborter(Nuisance):
    """Stops at a random byte of its request or of the answer: by reset, close, or half a close."""

    population = 20
    rest = 0.1

    def request(self):
        path = self.dice.choice(["/a", "/hi/a", "/big", "/echo/a", "/wait/a", "/bulk/big", "/trickle"])
        kind = self.dice.randrange(5)
        if kind == 0:
            body = bytes(self.dice.randrange(1, 60000))
            return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
        if kind == 1:
            return b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode() + b"100\r\n" + bytes(
                256) + b"\r\n" + b"0\r\nX-Trailer: t\r\n\r\n"
        one = f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {'c' * self.dice.randrange(400)}\r\n\r\n".encode()
        return one * self.dice.choice([1, 1, 1, 3, 20])

    async def visit(self):
        async with await self.connect(self.either(), receive_buffer=self.dice.choice([None, 4096])) as wire:
            request = self.request()
            cut = len(request) if self.dice.random() < 0.6 else self.dice.randrange(len(request) + 1)
            await wire.send(request[:cut])
            if cut == len(request) and self.dice.random() < 0.8:
                await wire.receive(self.dice.choice([1, 100, 20000]), patience=3)
            await asyncio.sleep(self.dice.choice([0, 0, 0.001, 0.03]))
            how = self.dice.randrange(5)
            if how == 0:
                wire.reset()
            elif how == 1:
                wire.close()
            elif how == 2:
                wire.shut()
                await wire.drain(patience=5)
            elif how == 3:
                wire.shut()
                await asyncio.sleep(self.dice.random() * 0.05)
                wire.reset()
            else:
                await wire.drain(patience=self.dice.random())


class Pipeliner(Nuisance):
    """Sends requests without end and never reads."""

    population = 6
    rest = 1

    async def visit(self):
        port = self.either()
        path = self.dice.choice(["/p", "/hi/p", "/echo/p", "/wait/p", "/bulk/big"])
        requests = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 200
        async with await self.connect(port, receive_buffer=8192) as wire:
            began = time.monotonic()
            while time.monotonic() - began < 4:
                await wire.send(requests, patience=1 + 2 * self.dice.random())
                await asyncio.sleep(0.05)
            self.leave(wire)


class Babbler(Nuisance):
    """Sends what is no HTTP, or nearly."""

    population = 4

    LINES = [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"]

    async def visit(self):
        async with await self.connect(self.either()) as wire:
            line = self.dice.choice(self.LINES) if self.dice.random() < 0.7 else self.dice.randbytes(self.dice.randrange(1, 3000))
            await wire.send(line)
            data = await wire.drain(patience=12)
            if data[:12] in [b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 405", b"HTTP/1.1 505"]:
                self.acted["malformed request refused"] += 1


class OddAsker(Nuisance):
    """Asks the upstream that does everything wrong."""

    population = 20

    async def visit(self):
        habit = self.dice.choice(["mute", "resets", "trickle", "trickle"])
        async with await self.connect(self.world.hard) as wire:
            for _ in range(self.dice.randrange(1, 5)):
                await wire.send(f"GET /{habit} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = await wire.answer(patience=6)
                self.acted[f"{habit}: {answer.status}"] += 1
            self.leave(wire)


class Tunneler(Nuisance):
    """Opens a tunnel, sends through it, and goes away in the middle."""

    population = 10

    async def visit(self):
        async with await self.connect(self.world.hard) as wire:
            await wire.send(b"GET /tunnel HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            answer = await wire.answer(patience=5)
            if answer.status != 101:
                return
            sent = b""
            for _ in range(self.dice.randrange(1, 6)):
                data = self.dice.randbytes(self.dice.randrange(1, 20000))
                await wire.send(data)
                sent += data
                if self.dice.random() < 0.7:
                    if await wire.exactly(len(sent), 5) != sent:
                        self.late.append("a tunnel gave other bytes than were sent through it")
                    sent = b""
            self.acted["tunnel"] += 1
            self.leave(wire)


ALL = [SlowHead, MuteClient, SlowBody, SlowReader, StoppedReader, Aborter, Pipeliner, Babbler, OddAsker, Tunneler]

# Each must have been seen to act before a soak may pass.
MUST_ACT = ["head-timeout", "silent connection closed", "body stopped: 408", "body too slow: 408",
            "reader that stopped is cut", "malformed request refused", "mute: 504", "resets: 502", "trickle: 200", "tunnel"]
