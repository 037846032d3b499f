"""The processes of a soak: the proxy under test, two nginx, and an upstream that does everything wrong."""

import asyncio
import contextlib
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import time


def free_port(dice=random.Random(os.getpid() ^ time.time_ns())):
    """Below the ports that the kernel gives to outgoing connections."""
    while True:
        port = dice.randrange(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("0.0.0.0", port))
                return port


async def until(question, what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain: {what}")
        await asyncio.sleep(0.02)


class Proxy:
    def __init__(self, program, folder, scripts, workers):
        self.log_path = os.path.join(folder, "proxy.log")
        files = []
        for name, text in scripts.items():
            files.append(os.path.join(folder, name))
            with open(files[-1], "w") as file:
                file.write(text)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "run", "--workers", str(workers), "--drain", "2s", "--admin", "off", *files],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        self.pid = self.process.pid
        self.limit = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)

    async def wait_until_ready(self):
        await until(lambda: "perilune serves with" in self.log() or self.process.poll() is not None, "perilune to serve")
        if self.process.poll() is not None:
            raise RuntimeError(f"perilune did not start:\n{self.log()}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def resident(self):
        """Bytes of memory in use."""
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self, names):
        """What its open TCP sockets are, by port: `names` says what is behind a port."""
        inodes = set()
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(f"/proc/{self.pid}/fd/{number}"))
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file][1:]
        found = []
        for row in rows:
            if f"socket:[{row[9]}]" in inodes:
                local, remote = [int(end.split(":")[1], 16) for end in row[1:3]]
                state = {"01": "established", "08": "ended by the other side", "0A": "listens"}.get(row[3], row[3])
                found.append(f"{names.get(local, local)} - {names.get(remote, remote)}, {state}")
        return sorted(found)

    def processor_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_alive(self):
        return self.process.poll() is None

    def leave_descriptors(self, count):
        """Lowers the limit of the running process to what it has, and `count` more."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self.descriptors() + count, self.limit[1]))

    def restore_descriptors(self):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.limit)

    async def stop(self):
        """Exit status after SIGTERM, or None when it had to be killed."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(RuntimeError):
            await until(lambda: self.process.poll() is not None, "perilune to stop", 6)
            return self.process.returncode
        self.kill()
        return None

    def kill(self):
        if self.is_alive():
            self.process.kill()
        self.process.wait()


class Nginx:
    """An nginx in one process that answers `NAME /path?query`, /big and /huge with files. Remembers when it was away."""

    BIG = 2 << 20
    HUGE = 8 << 30  # of nothing but holes

    def __init__(self, folder, name, keepalive, master):
        self.name = name
        self.port = free_port()
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        with open(f"{self.folder}/big", "wb") as file:
            file.write(bytes(self.BIG))
        with open(f"{self.folder}/huge", "wb") as file:
            file.truncate(self.HUGE)
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        with open(f"{self.folder}/nginx.conf", "w") as file:
            file.write(f"""{user} worker_processes 1; daemon off; master_process {"on" if master else "off"};
pid {self.folder}/pid; error_log {self.folder}/error.log crit; worker_rlimit_nofile 16000;
events {{ worker_connections 12000; }}
http {{ access_log off; {temporary} {keepalive} client_max_body_size 0; reset_timedout_connection on;
server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.folder};
location / {{ default_type text/plain; return 200 "{name} $request_uri\\n"; }}
location = /big {{ }} location = /huge {{ }} location = /bulk/big {{ alias {self.folder}/big; }} location = /hi/big {{ alias {self.folder}/big; }}
}} }}
""")
        self.process = None
        self.away = []  # (since, until) in monotonic time; until is None as long as it lasts

    async def start(self):
        self.process = subprocess.Popen(
            ["nginx", "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        await until(answers, f"nginx {self.name} to listen")
        if self.away and self.away[-1][1] is None:
            self.away[-1] = (self.away[-1][0], time.monotonic())

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    async def restart(self, number, pause):
        self.away.append((time.monotonic(), None))
        self.process.send_signal(number)
        with contextlib.suppress(RuntimeError):
            await until(lambda: self.process.poll() is not None, "nginx to end", 3)
        self.kill()
        await asyncio.sleep(pause)
        await self.start()

    def was_away(self, since, now):
        """At some time from `since` to `now`, or within the half second before: what was on the wire then is lost."""
        return any(begin <= now and (end is None or end + 0.5 >= since) for begin, end in self.away)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process:
            self.process.wait()


class OddUpstream:
    """Several listening sockets, each with a bad habit; `ports` says where."""

    HABITS = ["mute", "resets", "endless", "tunnel", "trickle"]

    def __init__(self, dice):
        self.dice = dice
        self.ports = {}
        self.servers = []
        self.writers = set()

    async def start(self):
        for habit in self.HABITS:
            server = await asyncio.start_server(self.guard(getattr(self, habit)), "127.0.0.1", 0, backlog=1024, limit=65536)
            self.ports[habit] = server.sockets[0].getsockname()[1]
            self.servers.append(server)

    def guard(self, habit):
        async def serve(reader, writer):
            self.writers.add(writer)
            try:
                await habit(reader, writer)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                pass
            finally:
                self.writers.discard(writer)
                writer.transport.abort()

        return serve

    async def head(self, reader, patience=1.0):
        async with asyncio.timeout(patience):
            return await reader.readuntil(b"\r\n\r\n")

    async def mute(self, reader, writer):
        """Takes everything and never answers."""
        async with asyncio.timeout(20):
            while await reader.read(65536):
                pass

    async def resets(self, reader, writer):
        """Resets: at once, after the request, inside the head, in the middle of the body."""
        when = self.dice.randrange(4)
        if when >= 1:
            await self.head(reader)
        if when == 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        if when == 3:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 2000)
        if when >= 2:
            await asyncio.sleep(self.dice.choice([0, 0.02]))
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def endless(self, reader, writer):
        await self.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"4000\r\n" + b"e" * 0x4000 + b"\r\n"
        async with asyncio.timeout(30):
            while not writer.transport.is_closing():
                writer.write(piece)
                await writer.drain()

    async def tunnel(self, reader, writer):
        """A WebSocket's handshake, then an echo."""
        await self.head(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        async with asyncio.timeout(30):
            while (data := await reader.read(65536)) and not writer.transport.is_closing():
                writer.write(data)
                await writer.drain()

    async def trickle(self, reader, writer):
        """Answers a few bytes at a time, by turns with a length and in chunks; sometimes twice, or not to the end."""
        while True:
            await self.head(reader)
            size = self.dice.randrange(1, 400)
            chunked = self.dice.random() < 0.5
            if chunked:
                data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % size + b"t" * size + b"\r\n0\r\n\r\n"
            else:
                data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"t" * size
            whim = self.dice.random()
            if whim < 0.1:
                data = data[:self.dice.randrange(len(data))]
            elif whim < 0.2:
                data += data
            while data and not writer.transport.is_closing():
                count = self.dice.randrange(1, 60)
                writer.write(data[:count])
                data = data[count:]
                await asyncio.sleep(0.01)
            if whim < 0.1:
                return

    async def stop(self):
        for server in self.servers:
            server.close()
        for writer in list(self.writers):
            writer.transport.abort()
