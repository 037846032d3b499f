"""Clients that behave: each answer must be the one to their own request."""

import asyncio
import time

from .wire import Broken, Wire


class Verdicts:
    """What the good clients saw. A wrong answer is never excused; a missing one is while `excuse` says why."""

    def __init__(self):
        self.served = 0
        self.excused = 0
        self.failures = []
        self.slowest = 0.0

    def fail(self, text):
        self.failures.append(text)


class GoodClient:
    """Asks every 50 ms, mostly on a kept connection. `make_request(token)` gives the bytes and the body to expect."""

    PAUSE = 0.05

    def __init__(self, name, port, make_request, verdicts, excuse, dice):
        self.name = name
        self.port = port
        self.make_request = make_request
        self.verdicts = verdicts
        self.excuse = excuse
        self.dice = dice
        self.wire = None
        self.number = 0

    async def run(self):
        try:
            while True:
                await self.once()
                await asyncio.sleep(self.PAUSE)
        finally:
            self.hang_up()

    def hang_up(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    async def once(self):
        """One request; how long it took, or None when it failed."""
        self.number += 1
        token = f"{self.name}-{self.number}-{self.dice.randrange(1 << 32):08x}"
        request, wanted = self.make_request(token)
        began = time.monotonic()
        try:
            if not self.wire:
                self.wire = await Wire.connect(self.port)
            if self.wire.buffer:
                self.verdicts.fail(f"{token}: bytes that nobody asked for: {bytes(self.wire.buffer)[:100]!r}")
                self.hang_up()
                return None
            await self.wire.send(request)
            answer = await self.wire.answer()
        except (OSError, TimeoutError, Broken, ValueError, IndexError) as error:
            self.missing(token, began, f"{type(error).__name__}: {error}")
            return None
        took = time.monotonic() - began
        if answer.status == 200 and answer.body != wanted:
            self.verdicts.fail(f"{token}: the answer is not its own: {answer.body[:100]!r}")
            self.hang_up()
            return None
        if answer.status != 200:
            self.missing(token, began, f"{answer.head[:300]!r} {answer.body[:100]!r}")
            return None
        self.verdicts.served += 1
        self.verdicts.slowest = max(self.verdicts.slowest, took)
        if answer.closes or self.dice.random() < 0.1:
            self.hang_up()
        return took

    def missing(self, token, began, what):
        self.hang_up()
        if self.excuse(began, time.monotonic()):
            self.verdicts.excused += 1
        else:
            self.verdicts.fail(f"{token}: after {time.monotonic() - began:.2f} s: {what}")


class Member(asyncio.Protocol):
    """One of a crowd of keep-alive clients: asks now and then, and leaves somehow."""

    def __init__(self, crowd, number, port, upstream, pause, path):
        self.crowd = crowd
        self.name = f"member-{number}"
        self.port = port
        self.upstream = upstream
        self.pause = pause
        self.path = path
        self.transport = None
        self.buffer = b""
        self.wanted = None
        self.asked_at = 0.0
        self.asked = 0
        self.timer = None
        self.is_leaving = False

    def connection_made(self, transport):
        self.transport = transport
        self.crowd.inside.add(self)
        self.ask()

    def ask(self):
        self.asked += 1
        self.wanted = f"{self.upstream.name} {self.path}?t={self.name}-{self.asked}"
        self.asked_at = time.monotonic()
        request = f"GET {self.path}?t={self.name}-{self.asked} HTTP/1.1\r\nHost: soak\r\nUser-Agent: member\r\n\r\n"
        self.transport.write(request.encode())
        self.timer = self.crowd.loop.call_later(20, self.too_late)

    def too_late(self):
        if not self.is_leaving:
            self.missing("no answer")

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or self.is_leaving:
            return
        length = self.buffer.lower().find(b"content-length:", 0, end)
        size = int(self.buffer[length + 15:].split(b"\r\n", 1)[0]) if length >= 0 else 0
        if len(self.buffer) < end + 4 + size:
            return
        body, left = self.buffer[end + 4:end + 4 + size], self.buffer[end + 4 + size:]
        status, self.buffer = self.buffer[9:12], b""
        self.timer.cancel()
        if not self.wanted or left:
            return self.fail(f"bytes that nobody asked for: {(body + left)[:100]!r}")
        wanted, self.wanted = self.wanted + "\n", None
        if status != b"200":
            return self.missing(f"{status!r} {body[:100]!r}")
        if body != wanted.encode():
            return self.fail(f"the answer is not its own: {body[:100]!r} instead of {wanted!r}")
        verdicts = self.crowd.verdicts
        verdicts.served += 1
        verdicts.slowest = max(verdicts.slowest, time.monotonic() - self.asked_at)
        self.timer = self.crowd.loop.call_later(self.pause * (0.5 + self.crowd.dice.random()), self.ask)

    def connection_lost(self, error):
        self.crowd.inside.discard(self)
        if not self.is_leaving:
            self.missing(f"the connection ended: {error}")

    def fail(self, what):
        self.crowd.verdicts.fail(f"{self.name}-{self.asked}: {what}")
        self.leave()

    def missing(self, what):
        began = self.asked_at
        if not self.is_leaving and self.crowd.excuse(self.upstream, began, time.monotonic()):
            self.crowd.verdicts.excused += 1
            self.leave()
        elif not self.is_leaving:
            self.fail(f"after {time.monotonic() - began:.2f} s: {what}")

    def leave(self):
        self.is_leaving = True
        if self.timer:
            self.timer.cancel()
        if self.transport:
            self.transport.abort() if self.crowd.dice.random() < 0.5 else self.transport.close()


class Crowd:
    """Thousands of members at the same time. They come in quickly, stay, and leave by themselves."""

    def __init__(self, verdicts, excuse, dice):
        self.verdicts = verdicts
        self.excuse = excuse
        self.dice = dice
        self.inside = set()
        self.most = 0
        self.loop = asyncio.get_running_loop()

    async def come(self, count, make_member):
        gate = asyncio.Semaphore(100)

        async def enter(number):
            member = make_member(self, number)
            source = (f"127.0.0.{2 + number % 20}", 0)
            async with gate:
                member.asked_at = time.monotonic()
                try:
                    async with asyncio.timeout(15):
                        await self.loop.create_connection(lambda: member, "127.0.0.1", member.port, local_addr=source)
                except (OSError, TimeoutError) as error:
                    member.missing(f"could not connect: {type(error).__name__} {error}")

        await asyncio.gather(*[enter(number) for number in range(count)])
        self.most = max(self.most, len(self.inside))

    async def go(self):
        for number, member in enumerate(list(self.inside)):
            member.leave()
            if number % 200 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
