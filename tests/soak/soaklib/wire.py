"""One end of a connection, by hand: soaks need to stop in the middle of anything."""

import asyncio
import contextlib
import socket
import struct

PATIENCE = 15.0


class Broken(Exception):
    """The connection ended, was reset or stayed silent where an answer was due."""


class Answer:
    def __init__(self, status, head, body):
        self.status = status
        self.head = head
        self.body = body

    @property
    def closes(self):
        return b"connection: close" in self.head.lower()


class Wire:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, port, source=None, receive_buffer=None, patience=PATIENCE):
        sock = socket.socket()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                sock.bind((source, 0))
            async with asyncio.timeout(patience):
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.sock.close()

    async def send(self, data, patience=PATIENCE):
        async with asyncio.timeout(patience):
            await self.loop.sock_sendall(self.sock, data)

    async def receive(self, size=65536, patience=PATIENCE):
        """Some bytes; none at the end. Does not touch the buffer."""
        async with asyncio.timeout(patience):
            return await self.loop.sock_recv(self.sock, size)

    async def fill(self, patience):
        try:
            data = await self.receive(patience=patience)
        except (OSError, TimeoutError) as error:
            raise Broken(f"{type(error).__name__} after {len(self.buffer)} bytes") from None
        if not data:
            raise Broken(f"the end after {len(self.buffer)} bytes")
        self.buffer += data

    async def answer(self, patience=PATIENCE):
        """The next final response with its body, by its length or chunks."""
        while True:
            while (end := self.buffer.find(b"\r\n\r\n")) < 0:
                await self.fill(patience)
            head = bytes(self.buffer[:end + 2])
            del self.buffer[:end + 4]
            status = int(head[9:12])
            if status >= 200 or status == 101:
                break
        fields = head.lower()
        body = b""
        if b"\r\ncontent-length:" in fields:
            size = int(fields.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
            body = await self.exactly(size, patience)
        elif b"\r\ntransfer-encoding: chunked" in fields:
            while size := int(await self.line(patience), 16):
                body += await self.exactly(size, patience)
                await self.line(patience)
            await self.line(patience)
        return Answer(status, head, body)

    async def exactly(self, size, patience):
        while len(self.buffer) < size:
            await self.fill(patience)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    async def line(self, patience):
        while (end := self.buffer.find(b"\r\n")) < 0:
            await self.fill(patience)
        data = bytes(self.buffer[:end])
        del self.buffer[:end + 2]
        return data

    async def drain(self, patience=PATIENCE):
        """Reads until the end or a reset; what came."""
        data = bytearray(self.buffer)
        with contextlib.suppress(OSError):
            while piece := await self.receive(patience=patience):
                data += piece
        return bytes(data)

    def peek(self, size):
        """The first bytes that nobody has read yet; they stay."""
        try:
            return self.sock.recv(size, socket.MSG_PEEK)
        except OSError:
            return b""

    def was_reset(self):
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def shut(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()
