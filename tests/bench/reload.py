#!/usr/bin/env python3
"""What clients notice of a reload: Perilune, nginx (-s reload) and HAProxy (master-worker, SIGUSR2), one worker each, before
the same clients and the same upstream. Then what Perilune keeps after a thousand of them.

    tests/bench/reload.py [--reloads 20] [--seconds 20] [--many 1000] [--name NAME]

The table goes to results/DATE-reload.md and .json.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from benchlib import processes  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENTS = HERE.parent / "support/steady_clients.py"
LESSON = ROOT / "tutorial/03-connection-pool/main.lua"

NGINX = """daemon off; master_process on; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log warn;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; default_type text/plain;
  {inside} }}
"""
ECHO = "server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 $request_uri; }} }}"
NGINX_PROXY = """proxy_http_version 1.1; proxy_set_header Connection "";
  upstream a {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://a; }} }}"""
HAPROXY = """global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend clients
  bind 127.0.0.1:{port}
  default_backend a
backend a
  server a 127.0.0.1:{upstream}
"""


class Contender:
    def __init__(self, name, program, port, signal_number):
        self.name, self.program, self.port, self.signal_number = name, program, port, signal_number

    def reload(self):
        """Asks for a reload, and returns when it is known to be over: for Perilune when the log says so."""
        self.program.process.send_signal(self.signal_number)
        time.sleep(0.05)


class Perilune(Contender):
    def said(self):
        return re.findall(r"version (\d+) serves, loaded in ([\d.]+) ms", pathlib.Path(self.program.log_path).read_text())

    def reload(self):
        before = len(self.said())
        self.program.process.send_signal(self.signal_number)
        deadline = time.monotonic() + 15
        while len(self.said()) == before:
            if time.monotonic() > deadline:
                raise self.program.fail("does not tell of a reload")
            time.sleep(0.002)
        return float(self.said()[-1][1])


class Bench:
    def __init__(self, options, folder, cleanup):
        self.options, self.folder, self.cleanup = options, folder, cleanup
        self.upstream = processes.free_port()
        self.start_program("upstream", ["nginx", "-e", f"{folder}/upstream.err", "-c", self.config("upstream", NGINX.format(
            folder=folder, name="upstream", inside=ECHO.format(port=self.upstream)))]).wait_until_it_accepts(self.upstream)

    def config(self, name, text):
        path = self.folder / f"{name}.conf"
        path.write_text(text)
        return str(path)

    def start_program(self, name, command):
        program = processes.Program(name, command, None, self.folder / f"{name}.out")
        self.cleanup.callback(program.stop)
        return program

    def lesson(self, port, more=""):
        text = LESSON.read_text()
        for own, here in [("listen(8000)", f"listen({port})"), ("127.0.0.1:8080", f"127.0.0.1:{self.upstream}"),
                          ("127.0.0.1:8081", f"127.0.0.1:{self.upstream}")]:
            if own not in text:
                raise processes.Failure(f"the lesson does not have {own}")
            text = text.replace(own, here)
        return text + more

    def perilune(self, name="perilune", more=""):
        port = processes.free_port()
        script = self.folder / f"{name}.lua"
        script.write_text(self.lesson(port, more))
        program = self.start_program(name, [str(self.options.perilune), "run", "--workers", "1", str(script)])
        program.wait_until_it_accepts(port)
        return Perilune(name, program, port, signal.SIGHUP)

    def nginx(self):
        port = processes.free_port()
        config = self.config("nginx", NGINX.format(folder=self.folder, name="nginx",
                                                   inside=NGINX_PROXY.format(port=port, upstream=self.upstream)))
        program = self.start_program("nginx", ["nginx", "-e", f"{self.folder}/nginx.err", "-c", config])
        program.wait_until_it_accepts(port)
        return Contender("nginx", program, port, signal.SIGHUP)

    def haproxy(self):
        port = processes.free_port()
        config = self.config("haproxy", HAPROXY.format(port=port, upstream=self.upstream))
        program = self.start_program("haproxy", ["haproxy", "-W", "-q", "-f", config])
        program.wait_until_it_accepts(port)
        return Contender("haproxy", program, port, signal.SIGUSR2)

    def round(self, contender, reloads):
        """What the clients saw while it was reloaded so often, evenly."""
        record = self.folder / "record"
        clients = subprocess.Popen([sys.executable, "-B", CLIENTS, str(contender.port), "--record", record],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(1)
        began, windows, took = time.monotonic(), [], []
        for i in range(1, reloads + 1):
            time.sleep(max(0, began + self.options.seconds / reloads * i - time.monotonic()))
            start = time.monotonic()
            took.append(contender.reload())
            windows.append((start, time.monotonic() + 0.05))
        if not reloads:
            time.sleep(self.options.seconds)
        time.sleep(0.5)
        result = json.loads(clients.communicate(timeout=60)[0])
        result["reload_ms"] = sorted(value for value in took if value)
        result["near"], result["far"] = self.near_and_far(record, windows)
        return result

    @staticmethod
    def near_and_far(record, windows):
        """p99 and most, in ms, of requests that were under way while a reload was, and of all others."""
        near, far = [], []
        for line in record.read_text().splitlines():
            begun, took = map(float, line.split())
            is_near = any(begun < end and begun + took > start for start, end in windows)
            (near if is_near else far).append(took * 1000)
        near.sort()
        far.sort()
        return tuple({"count": len(some), "p99": some[len(some) * 99 // 100], "max": some[-1]} if some else None
                     for some in (near, far))

    def many(self, reloads):
        """The memory before and after so many reloads with idle clients, and how many versions told their end."""
        contender = self.perilune("many", '\nreload.onUnload(function() log.info("a version has ended") end)\n')
        clients = subprocess.Popen([sys.executable, "-B", CLIENTS, str(contender.port), "--connections", "8", "--newcomers", "1"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(20):
            contender.reload()
        time.sleep(self.options.rest)
        before = contender.program.resident_bytes()
        began = time.monotonic()
        for _ in range(reloads):
            contender.reload()
        seconds = time.monotonic() - began
        after_at_once = contender.program.resident_bytes()
        result = json.loads(clients.communicate(timeout=60)[0])
        time.sleep(self.options.rest)
        after = contender.program.resident_bytes()
        ended = pathlib.Path(contender.program.log_path).read_text().count("a version has ended")
        return {"reloads": reloads, "seconds": seconds, "before": before, "at_once": after_at_once, "after": after,
                "ended": ended, "of": reloads + 20, "clients": result}


def row(name, reloads, result):
    near, far = result["near"], result["far"]
    reload_ms = result["reload_ms"]
    cells = [name, reloads, f"{result['answers']:,}", result["lost"], result["closed"], result["refused"],
             f"{near['p99']:.1f}" if near else "-", f"{far['p99']:.1f}",
             f"{near['p99'] - far['p99']:+.1f}" if near else "-", f"{(near or far)['max']:.1f}",
             f"{reload_ms[len(reload_ms) // 2]:.1f}" if reload_ms else "-"]
    return "| " + " | ".join(map(str, cells)) + " |"


def version_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--perilune", type=pathlib.Path, default=ROOT / "build/perilune")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--rest", type=float, default=30, help="seconds before memory is looked at")
    parser.add_argument("--name", default="reload")
    options = parser.parse_args()
    processes.raise_descriptor_limit()
    with contextlib.ExitStack() as cleanup:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-reload-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        bench = Bench(options, folder, cleanup)
        rows, results = [], {}
        for name, start in [("perilune", bench.perilune), ("nginx", bench.nginx), ("haproxy", bench.haproxy)]:
            if name != "perilune" and not shutil.which(name):
                rows.append(f"| {name} | not installed |" + " |" * 9)
                continue
            contender = start()
            for reloads in (0, options.reloads):
                result = results[f"{name} {reloads}"] = bench.round(contender, reloads)
                rows.append(row(name, reloads, result))
                print(rows[-1], *result["what"][:3], sep="\n    ", flush=True)
            contender.program.stop()
        many = results["many"] = bench.many(options.many) if options.many else None
    date = datetime.date.today().isoformat()
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = file.read().split()[0]
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = re.search(r"model name\s*:\s*(.*)", file.read())
    lines = [f"# Reload, {date}", "",
             f"- machine: {cpu[1] if cpu else platform.machine()}, {platform.system()} {platform.release()}; load at the end: {load}",
             f"- perilune: {version_of([options.perilune, '--version'])}",
             *(f"- {name}: {version_of([name, '-v'])}" for name in ("nginx", "haproxy") if shutil.which(name)),
             f"- command: `tests/bench/reload.py --reloads {options.reloads} --seconds {options.seconds:g} --many {options.many}`", "",
             f"64 keep-alive connections with pauses of 10 ms on average, and 4 clients with a new connection for each request, for "
             f"{options.seconds:g} s, one worker each. Perilune runs the lesson's script; the others forward everything. A request is lost "
             "when it was sent and no whole answer came; a connection counts as closed when the server ended it or announced to. "
             "\"Near\" are requests that were under way during a reload or the 50 ms behind it.", "",
             "| | reloads | answers | lost | closed | refused | p99 near, ms | p99 far, ms | added | max near, ms | a reload, ms |",
             "|---|" + "---:|" * 10, *rows]
    if many:
        mib = 1 << 20
        lines += ["", f"{many['reloads']} reloads of the lesson's script in {many['seconds']:.0f} s under 8 keep-alive clients and a newcomer: resident "
                  f"{many['before'] / mib:.2f} MiB before, {many['at_once'] / mib:.2f} MiB at their end, {many['after'] / mib:.2f} MiB "
                  f"{options.rest:g} s later: **{(many['after'] - many['before']) / mib:+.2f} MiB**. {many['ended']} of {many['of']} versions "
                  f"have told their end. Clients: {many['clients']['answers']:,} answers, {many['clients']['lost']} lost, "
                  f"{many['clients']['closed']} closed, {many['clients']['refused']} refused."]
    text = "\n".join(lines) + "\n"
    print(text)
    for suffix, content in [(".md", text), (".json", json.dumps(results, indent=2) + "\n")]:
        (HERE / f"results/{date}-{options.name}{suffix}").write_text(content)


if __name__ == "__main__":
    main()
