"""Plays of upstream, proxy and client, all on real sockets.

A test is a function with a sentence; it gets a stage, on which it puts

    upstream = stage.upstream(act)              act(wire, number) runs in a thread for each connection
    proxy = stage.proxy(SCRIPT, upstream=upstream.port)
    client = stage.client(proxy.port["proxy"])

In SCRIPT `$name` stands for a given value; a name that is not given becomes a free port, and proxy.port[name]
says which. When the play is over the stage is cleared: clients close, the proxy must end by SIGTERM in time
with status 0 and without a word about a bug, and what an upstream's thread complained about fails the test.
Nothing sleeps: whoever waits, waits for bytes, for a gate, or polls with a bound.
"""

import contextlib
import hashlib
import mmap
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

# The longest that anything is waited for. Only a failing test ever waits so long.
PATIENCE = float(os.environ.get("E2E_PATIENCE", "15"))
# A process that is told to stop has cut everything after its drain time; the rest is for slow machines.
DRAIN = "300ms"
STOP_TIME = 4.0

PLAIN = """
listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect("127.0.0.1:$upstream")))
"""


class Failure(Exception):
    """What the test wanted is not so."""


class End(Exception):
    """The other side ended the stream; `left` are the bytes that came and were not yet read."""

    def __init__(self, left=b""):
        super().__init__(f"the stream ended, left over: {left[:200]!r}")
        self.left = left


class Reset(End):
    """The other side reset the connection."""


def same(got, wanted, what="value"):
    if got != wanted:
        raise Failure(f"{what}:\n    got    {shorten(got)}\n    wanted {shorten(wanted)}")


def yes(condition, what):
    if not condition:
        raise Failure(what)


def shorten(value):
    text = repr(value)
    return text if len(text) < 800 else f"{text[:600]} ... {text[-150:]} ({len(text)} characters)"


def until(question, what, seconds=None):
    """Asks again and again until the answer is true, and gives it."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"waited in vain: {what}")
        time.sleep(0.005)


class Gate:
    """Something that one thread waits for and another one opens."""

    def __init__(self, name="gate"):
        self.name = name
        self.event = threading.Event()

    def open(self):
        self.event.set()

    def wait(self, seconds=None):
        if not self.event.wait(seconds or PATIENCE):
            raise Failure(f"waited in vain for: {self.name}")


def body_of(size, seed=1):
    """Bytes in which every shift and every swap of blocks shows."""
    block = random.Random(seed).randbytes(1 << 20) + b"seam"
    return (block * (size // len(block) + 1))[:size]


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Head:
    """The first lines of a message, as they came."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw[:-4].split(b"\r\n")
        self.start = lines[0].decode("latin-1")
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            yes(colon and name and name == name.strip(), f"a field line is malformed: {line!r}")
            self.fields.append((name, value.strip(" \t")))
        self.body = b""
        self.trailers = []
        self.chunks = []

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        yes(len(values) <= 1, f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    def has_token(self, name, token):
        return token in [part.strip().lower() for value in self.all(name) for part in value.split(",")]

    @property
    def status(self):
        yes(re.match(r"HTTP/1\.[01] \d{3} ", self.start), f"no status line: {self.start!r}")
        return int(self.start.split(" ")[1])

    @property
    def version(self):
        return self.start.split(" ")[0]

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def path(self):
        return self.start.split(" ")[1]


class Wire:
    """One end of a connection. Reading waits, at most PATIENCE."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.sendall(data)
        return self

    def try_send(self, data):
        """Sends to somebody who may have closed already. Whether it could."""
        try:
            self.send(data)
            return True
        except OSError:
            return False

    def fill(self, size=262144):
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            raise Reset(bytes(self.buffer)) from None
        except TimeoutError:
            raise Failure(f"nothing came for {PATIENCE} s; so far: {shorten(bytes(self.buffer))}") from None
        if not data:
            raise End(bytes(self.buffer))
        self.buffer += data

    def some(self):
        """Waits until there is something to read, and leaves it there."""
        if not self.buffer:
            self.fill()

    def exactly(self, size):
        while len(self.buffer) < size:
            self.fill()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def through(self, mark):
        """All bytes up to and with the mark."""
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark))
            self.fill()
        return self.exactly(at + len(mark))

    def line(self):
        return self.through(b"\r\n")[:-2]

    def head(self):
        return Head(self.through(b"\r\n\r\n"))

    def request(self):
        """A request with its body."""
        head = self.head()
        if head.has_token("transfer-encoding", "chunked"):
            self.chunked(head)
        elif head.get("content-length"):
            head.body = self.exactly(int(head.get("content-length")))
        return head

    def response(self, method="GET"):
        """A final or interim response with its body; its end must show, or this raises End."""
        head = self.head()
        status = head.status
        if method == "HEAD" or status < 200 or status in (204, 304):
            return head
        if head.has_token("transfer-encoding", "chunked"):
            self.chunked(head)
        elif head.get("content-length") is not None:
            head.body = self.exactly(int(head.get("content-length")))
        else:
            yes(head.has_token("connection", "close") or head.version == "HTTP/1.0",
                f"the end of the body is the close, yet Connection does not say so: {head.raw!r}")
            head.body = self.rest()
        return head

    def chunk(self):
        """One chunk: (data, line). The last one has no data."""
        line = self.line()
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return b"", line
        data = self.exactly(size)
        same(self.exactly(2), b"\r\n", "end of a chunk")
        return data, line

    def chunked(self, head):
        body = bytearray()
        while True:
            data, line = self.chunk()
            head.chunks.append((data, line))
            if not data:
                break
            body += data
        head.body = bytes(body)
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            head.trailers.append((name, value.strip()))

    def rest(self):
        """Everything up to a clean end; a reset raises."""
        try:
            while True:
                self.fill()
        except Reset:
            raise
        except End as end:
            self.buffer.clear()
            return end.left

    def ends(self):
        """Nothing more comes, and the stream ends cleanly."""
        same(self.rest(), b"", "bytes before the end")

    def over(self):
        """How the stream ends, "end" or "reset", and what came before."""
        try:
            return "end", self.rest()
        except Reset as reset:
            return "reset", reset.left

    def silent(self, seconds=0.15):
        """Nothing comes for a while. For what must not happen; the wait is the price of such a sentence."""
        same(bytes(self.buffer), b"", "bytes that should not be here")
        self.sock.settimeout(seconds)
        try:
            raise Failure(f"silence was expected, this came: {self.sock.recv(1000, socket.MSG_PEEK)!r}")
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(PATIENCE)

    def shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def ask(self, request, method=None):
        """Sends a request and gives the response."""
        text = request if isinstance(request, bytes) else request.encode("latin-1")
        self.send(text)
        return self.response(method or text.split(b" ")[0].decode())


def get(path="/", *fields):
    return "".join([f"GET {path} HTTP/1.1\r\n", "Host: x\r\n", *[field + "\r\n" for field in fields], "\r\n"])


def post(body, path="/", *fields):
    if isinstance(body, str):
        body = body.encode("latin-1")
    head = [f"POST {path} HTTP/1.1\r\n", "Host: x\r\n", *[field + "\r\n" for field in fields],
            f"Content-Length: {len(body)}\r\n\r\n"]
    return "".join(head).encode("latin-1") + body


def ok(body=b"", *fields, status="200 OK"):
    """A response with Content-Length."""
    if isinstance(body, str):
        body = body.encode("latin-1")
    head = "".join([f"HTTP/1.1 {status}\r\n", *[field + "\r\n" for field in fields], f"Content-Length: {len(body)}\r\n\r\n"])
    return head.encode("latin-1") + body


def serving(answer=None):
    """An act that answers every request: answer(request) gives the bytes; None ends the connection."""

    def act(wire, number):
        while True:
            try:
                request = wire.request()
            except End:
                return
            reply = answer(request) if answer else ok(request.path)
            if reply is None:
                return
            wire.send(reply)

    return act


class Upstream:
    """A listening socket; every connection to it is played by act(wire, number) in a thread."""

    def __init__(self, act, path=None, backlog=256):
        self.act = act
        self.connections = 0
        self.requests = []
        self.errors = []
        self.wires = []
        self.is_over = False
        self.lock = threading.Lock()
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
        else:
            self.sock = socket.socket()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(("127.0.0.1", 0))
            self.port = self.sock.getsockname()[1]
        self.sock.listen(backlog)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        self.threads = []

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                if self.is_over:
                    sock.close()
                    return
                self.connections += 1
                wire = RecordingWire(sock, self)
                self.wires.append(wire)
                thread = threading.Thread(target=self.play, args=(wire, self.connections), daemon=True)
                self.threads.append(thread)
                thread.start()

    def play(self, wire, number):
        try:
            self.act(wire, number)
        except Exception:
            if not self.is_over:
                self.errors.append(traceback.format_exc())
        finally:
            wire.close()

    def close(self):
        with self.lock:
            self.is_over = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for wire in self.wires:
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE)


class RecordingWire(Wire):
    """An upstream's end of a connection: it remembers the requests."""

    def __init__(self, sock, upstream):
        super().__init__(sock)
        self.upstream = upstream

    def head(self):
        head = super().head()
        with self.upstream.lock:
            self.upstream.requests.append(head)
        return head


# Below the ports that the kernel gives to outgoing connections, so that none of those takes one.
PORTS = random.Random(os.getpid() ^ time.time_ns())


def free_port():
    while True:
        port = PORTS.randrange(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue


class Lines:
    """What a process writes, line by line, as it comes."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.pipe:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def __iter__(self):
        return iter(list(self.lines))

    def text(self):
        return "\n".join(self.lines)

    def matching(self, pattern):
        return [line for line in list(self.lines) if re.search(pattern, line)]


class Proxy:
    """A running perilune."""

    def __init__(self, folder, scripts, names, options):
        self.folder = folder
        self.options = options
        for attempt in range(5):
            self.port = {}
            self.start(scripts, names)
            if self.is_ready():
                return
            self.process.wait(PATIENCE)
            self.log.thread.join(PATIENCE)
            if attempt == 4 or "cannot listen" not in self.log.text():
                raise Failure(f"perilune ended with {self.process.returncode}:\n{self.log.text()}")

    def start(self, scripts, names):
        def fill(found):
            name = found[1]
            if name in names:
                return str(names[name])
            if name not in self.port:
                self.port[name] = free_port()
            return str(self.port[name])

        files = []
        for name, text in scripts.items():
            files.append(os.path.join(self.folder, name))
            with open(files[-1], "w") as file:
                file.write(re.sub(r"\$(\w+)", fill, text))
        workers = str(self.options.get("workers", 1))
        command = [BINARY, "run", "--workers", workers, "--drain", self.options.get("drain", DRAIN), "--admin", self.options.get("admin", "off"),
                   "--log-level", self.options.get("log_level", "info"), *self.options.get("words", []), *files]
        limits = self.options.get("limits")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=limits)
        self.log = Lines(self.process.stderr)
        self.out = Lines(self.process.stdout)

    def is_ready(self):
        """The sockets are bound when the process says that it serves: to connect is to see that it is true."""
        until(lambda: self.log.matching("perilune serves with") or self.process.poll() is not None, "perilune to serve")
        return self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def status(self, name):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.M)[1])

    def resident(self):
        """Bytes of memory in use."""
        return self.status("VmRSS") * 1024

    def processor_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_log(self, pattern, count=1):
        """Waits until so many lines match, and gives them."""
        return until(
            lambda: len(self.log.matching(pattern)) >= count and self.log.matching(pattern),
            f"{count} line(s) of log with /{pattern}/; the log:\n{self.log.text()}")

    def stop(self):
        """What is wrong with how it ended, or None."""
        if self.process.poll() is not None:
            self.log.thread.join(1)
            return f"perilune was gone before it was told to stop, with {self.process.returncode}:\n{self.log.text()}"
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        problem = None
        try:
            self.process.wait(STOP_TIME * SLOWNESS)
        except subprocess.TimeoutExpired:
            problem = f"perilune did not stop within {time.monotonic() - began:.1f} s of SIGTERM"
            self.process.kill()
            self.process.wait()
        self.log.thread.join(1)
        self.out.thread.join(1)
        self.process.stderr.close()
        self.process.stdout.close()
        if not problem and self.process.returncode != 0:
            problem = f"perilune ended with {self.process.returncode}"
        bugs = self.log.matching("a bug in the engine|Sanitizer|runtime error:")
        if not problem and bugs:
            problem = f"perilune says: {bugs[0]}"
        return f"{problem}\n{self.log.text()[-6000:]}" if problem else None


class Stage:
    """What one play has standing, and how it is cleared."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="e2e-")
        self.clients = []
        self.upstreams = []
        self.proxies = []
        self.nginxes = {}
        self.others = []
        self.errors = []

    def upstream(self, act=None, **options):
        self.upstreams.append(Upstream(act or serving(), **options))
        return self.upstreams[-1]

    def proxy(self, script, options=None, **names):
        scripts = script if isinstance(script, dict) else {"proxy.lua": script}
        self.proxies.append(Proxy(self.folder, scripts, names, options or {}))
        return self.proxies[-1]

    def plain(self, act=None):
        """A proxy without rules in front of an upstream: (client, upstream, proxy)."""
        upstream = self.upstream(act)
        proxy = self.proxy(PLAIN, upstream=upstream.port)
        return self.client(proxy), upstream, proxy

    def client(self, to, source=None, receive_buffer=None):
        if isinstance(to, Proxy):
            to = to.port["proxy"]
        if isinstance(to, str):
            sock = socket.socket(socket.AF_UNIX)
        else:
            sock = socket.socket()
            to = ("127.0.0.1", to)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            sock.bind((source, 0))
        sock.settimeout(PATIENCE)
        sock.connect(to)
        self.clients.append(Wire(sock))
        return self.clients[-1]

    def path(self, name):
        return os.path.join(self.folder, name)

    def in_thread(self, work):
        """Runs work() beside the play; its failure fails the play."""

        def run():
            try:
                work()
            except Exception:
                self.errors.append(traceback.format_exc())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.others.append(thread)
        return thread

    def run(self, *command, check=True):
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE * 4)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        return done

    def nginx(self, server, name="nginx", port=None):
        """A real nginx in a folder of that name; `server` is the inside of its server block. Gives the port."""
        port = port or free_port()
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write(f"""{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log {folder}/access.log; {temporary} keepalive_requests 1000000;
server {{ listen 127.0.0.1:{port}; root {folder}; {server} }} }}
""")
        process = subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.others.append(process)
        self.nginxes[port] = process

        def is_ready():
            yes(process.poll() is None, f"nginx ended with {process.poll()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(is_ready, "nginx to listen")
        return port

    def end_nginx(self, port, how=signal.SIGTERM):
        """SIGTERM ends at once what is under way, SIGQUIT lets it finish."""
        process = self.nginxes.pop(port)
        process.send_signal(how)
        process.wait(PATIENCE)

    def clear(self):
        """Ends everything; what is wrong, as a list."""
        for client in self.clients:
            client.close()
        problems = [problem for proxy in self.proxies if (problem := proxy.stop())]
        for upstream in self.upstreams:
            problems += upstream.errors
            upstream.close()
        for other in self.others:
            if isinstance(other, threading.Thread):
                other.join(PATIENCE)
            else:
                other.terminate()
                other.wait(PATIENCE)
                other.stderr.close()
        problems += self.errors
        shutil.rmtree(self.folder, ignore_errors=True)
        return problems


SCENES = []


def scene(sentence):
    def remember(function):
        SCENES.append((sentence, function))
        return function

    return remember


def perform(function):
    """What is wrong, as text, or None."""
    stage = Stage()
    problem = None
    try:
        function(stage)
    except Failure as failure:
        problem = str(failure)
        frames = traceback.extract_tb(failure.__traceback__)
        here = [frame for frame in frames if not frame.filename.endswith("play.py")]
        if here:
            problem = f"{os.path.basename(here[-1].filename)}:{here[-1].lineno}: {problem}"
    except Exception:
        problem = traceback.format_exc()
    problems = ([problem] if problem else []) + stage.clear()
    if problem:
        problems += [f"log of perilune:\n{proxy.log.text()[-3000:]}" for proxy in stage.proxies]
    return "\n".join(problems) or None


def is_sanitized(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"__asan_init") >= 0 or content.find(b"__tsan_init") >= 0


def main():
    """Performs the plays of the file: x_test.py BINARY [words of a sentence]."""
    global BINARY, SANITIZED, SLOWNESS
    if len(sys.argv) < 2:
        sys.exit("usage: x_test.py PERILUNE [words of a sentence]")
    BINARY = os.path.abspath(sys.argv[1])
    SANITIZED = is_sanitized(BINARY)
    SLOWNESS = 5 if SANITIZED else 1
    wanted = " ".join(sys.argv[2:])
    chosen = [(sentence, function) for sentence, function in SCENES if wanted in sentence]
    print(f"1..{len(chosen)}")
    failures = 0
    for number, (sentence, function) in enumerate(chosen, 1):
        began = time.monotonic()
        problem = perform(function)
        print(f"{'not ok' if problem else 'ok'} {number} - {sentence} ({time.monotonic() - began:.2f} s)", flush=True)
        if problem:
            failures += 1
            print("    " + problem.replace("\n", "\n    "), flush=True)
    sys.exit(1 if failures or not chosen else 0)


BINARY = ""
SANITIZED = False
SLOWNESS = 1
