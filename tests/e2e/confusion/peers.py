#!/usr/bin/env python3
"""What Perilune and others make of the cases, by family: peers.py [--program P] [--write] [--family WORDS] [names]

Names are perilune, haproxy and nginx; without one all that are installed. --write puts the tables into RESULTS.md, which
says with which versions. The suite itself is confusion_test.py: its rules are stricter than these words, and it fails.
"""

import argparse
import concurrent.futures
import datetime
import os
import platform
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import confusion_test as suite  # noqa: E402
import play  # noqa: E402
from confusion import requests, responses  # noqa: E402
from confusion.cases import EITHER, REFUSED  # noqa: E402
from play import PLAIN, Stage, contextlib, free_port, get, shutil, socket, subprocess, time, until, yes  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
# After so long without a byte an answer is over: not all end a connection whose client has ended its direction.
QUIET = 0.5
# A verdict that a machine busy with other things could cause is asked for once more, with this patience.
PATIENCE = 4.0
# So many of each proxy run side by side, each with its share of the cases: most of the time is waiting.
LANES = 12
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen proxy
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream}
"""
NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; {temporary}
upstream u {{ server 127.0.0.1:{upstream}; keepalive 8; }}
server {{ listen 127.0.0.1:{port};
location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }}
}} }}
"""
WORDS = {
    "refused": "an error and a close, or no answer to what was cut off",
    "same": "what the table wants passed on was passed on, and answered",
    "other": "passed on and answered consistently, but not as the table wants: what it wants refused, or another reading",
    "waits": "nothing was passed on whole and nothing answered: more of the message may come",
    "lax": "what the upstream or the client got is not strict: how to read it is left to them",
    "unlike": "what the upstream got is not what was answered",
    "leaked": "bytes that answer nobody reached this client or the next one",
}


def start_peer(stage, port, *command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stage.others.append(process)

    def is_ready():
        yes(process.poll() is None, f"{command[0]} ended")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(is_ready, f"{command[0]} to listen")
    return port


def start_haproxy(stage, upstream):
    port = free_port()
    with open(stage.path("haproxy.cfg"), "w") as file:
        file.write(HAPROXY.format(port=port, upstream=upstream))
    return start_peer(stage, port, "haproxy", "-db", "-q", "-f", stage.path("haproxy.cfg"))


def start_nginx(stage, upstream):
    port, folder = free_port(), stage.path("nginx")
    os.makedirs(folder)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(NGINX.format(port=port, upstream=upstream, folder=folder, temporary=temporary,
                                user="user root;" if os.geteuid() == 0 else ""))
    return start_peer(stage, port, "nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf")


START = {"perilune": lambda stage, upstream: stage.proxy(PLAIN, upstream=upstream).port["proxy"],
         "haproxy": start_haproxy, "nginx": start_nginx}


def version(name):
    command = {"perilune": [play.BINARY, "--version"], "haproxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"]}[name]
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[0]


def exchange(port, raw, quiet, ends=False):
    """What comes until the end, or until nothing comes. `ends`: the client ends its direction."""
    data = bytearray()
    with socket.create_connection(("127.0.0.1", port)) as client, contextlib.suppress(OSError):
        client.settimeout(quiet)
        client.sendall(raw)
        if ends:
            client.shutdown(socket.SHUT_WR)
        while received := client.recv(262144):
            data += received
        return bytes(data), "end"
    return bytes(data), "quiet"


def of_request(case, recorder, port, quiet):
    before = len(recorder.messages)
    is_cut = not case.raw.endswith(requests.AFTER)
    data, how = exchange(port, case.raw, quiet, ends=is_cut)
    got = recorder.messages[before:]
    answers, wrong = suite.answers_in(data, how, lambda answer: getattr(recorder.of(answer), "method", "GET"))
    answered = [recorder.of(answer) for answer in answers if answer.get(b"x-serial")]
    if recorder.faults or wrong and "half" not in wrong:
        recorder.faults.clear()
        return "lax"
    if len(got) != len(answered):
        return "unlike"
    if not got and not answers and how == "quiet":
        return "waits"
    own = [answer for answer in answers if not answer.get(b"x-serial")]
    if own and own[-1].status >= 400 or is_cut and case.wants == REFUSED and not answers:
        return "refused"
    sequence = [(message.method, message.target, message.body) for message in answered]
    return "same" if case.wants == EITHER or sequence == case.wants else "other"


def of_response(case, recorder, port, quiet):
    recorder.case = case
    data, how = exchange(port, f"{case.method} /case HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), quiet)
    answers, wrong = suite.answers_in(data, how, lambda answer: case.method)
    next_data, next_how = exchange(port, get("/next", "Connection: close").encode(), quiet)
    next_answers, broken = suite.answers_in(next_data, next_how, lambda answer: "GET")
    of_next = recorder.of(next_answers[0]) if len(next_answers) == 1 else None
    recorder.faults.clear()
    if responses.MARK in data or broken or not of_next or of_next.target != "/next":
        return "leaked"
    if wrong and "half" not in wrong:
        return "lax"
    came = [(answer.status, answer.body) for answer in answers]
    if wrong or not came or came[0][0] >= 500 and came != case.wants:
        return "refused"
    return "same" if came == case.wants or case.wants == EITHER else "other"


def judge(name, cases, verdict):
    """The verdicts on cases, in their order, by a peer of its own."""
    stage, recorder = Stage(), suite.Recorder()
    try:
        port = START[name](stage, stage.upstream(recorder.act).port)
        found = [verdict(case, recorder, port, QUIET) for case in cases]
        for number, word in enumerate(found):
            if word in ["unlike", "waits", "leaked", "other"]:
                time.sleep(QUIET)  # what an earlier case left on its way comes now
                found[number] = verdict(cases[number], recorder, port, PATIENCE)
        return found
    finally:
        stage.clear()


def judge_all(name, table, verdict, words):
    """{family: {verdict: count}}, and the cases whose verdict is worth a look."""
    cases = [case for case in table if words in case.family]
    lanes = [cases[lane::LANES] for lane in range(LANES)]
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        found = list(pool.map(lambda lane: judge(name, lane, verdict), lanes))
    counts, notes = {}, []
    for number, case in enumerate(cases):
        word = found[number % LANES][number // LANES]
        counts.setdefault(case.family, dict.fromkeys(WORDS, 0))[word] += 1
        if word in ["unlike", "leaked", "lax"] or word == "other" and case.wants == REFUSED:
            notes.append(f"{word}: {case}")
    return counts, notes


def cell(found):
    return ", ".join(f"{count} {word}" for word, count in found.items() if count)


def tables(names, words):
    for title, table, verdict in [("Requests", requests.TABLE, of_request), ("Responses", responses.TABLE, of_response)]:
        if not any(words in family for family in table.families()):
            continue
        found = {name: judge_all(name, table, verdict, words) for name in names}
        yield f"## {title}\n"
        yield "| family | cases | " + " | ".join(names) + " |"
        yield "|---" * (len(names) + 2) + "|"
        sums = {name: dict.fromkeys(WORDS, 0) for name in names}
        total = 0
        for family, size in table.families().items():
            if words not in family:
                continue
            total += size
            cells = [found[name][0][family] for name in names]
            for name, verdicts in zip(names, cells):
                for word, count in verdicts.items():
                    sums[name][word] += count
            yield f"| {family} | {size} | " + " | ".join(map(cell, cells)) + " |"
        yield f"| all | {total} | " + " | ".join(cell(sums[name]) for name in names) + " |\n"
        for name in names:
            yield from listing(name, found[name][1])


def listing(name, notes):
    yield f"{name}: {len(notes)} that the table wants refused were passed on, were not strict, or were answered out of step."
    yield "\n".join(["", "```", *notes, "```", ""] if notes else [""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=f"{ROOT}/build/perilune")
    parser.add_argument("--family", default="", help="only families with these words")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md instead of the standard output")
    parser.add_argument("names", nargs="*", metavar="name", help="of " + ", ".join(START))
    arguments = parser.parse_args()
    play.BINARY = os.path.abspath(arguments.program)
    names = arguments.names or [name for name in START if name == "perilune" or shutil.which(name)]
    out = open(f"{HERE}/RESULTS.md", "w") if arguments.write else sys.stdout
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = ["# The cases, by family\n", f"Written by `{' '.join(['tests/e2e/confusion/peers.py', *sys.argv[1:]])}` on {now:%Y-%m-%d}, {platform.platform()}.",
             "Each peer has the least configuration with which it forwards and keeps upstream connections (`peers.py`).\n",
             *[f"- {name}: {version(name)}" for name in names], "",
             *[f"- **{word}**: {meaning}" for word, meaning in WORDS.items()], ""]
    for line in lines:
        print(line, file=out)
    for line in tables(names, arguments.family):
        print(line, file=out, flush=True)
    if arguments.write:
        out.close()


if __name__ == "__main__":
    main()
