"""What others make of the same requests, by hand: peers.py [nginx] [haproxy] [words of a family]

For each case one of: refused (an error and a close), same (passed on, as the table wants it), other (passed on and
answered consistently, but read otherwise), lax (what the upstream or the client got is not strict: it is left to them
how to read it), unlike (what the upstream got is not what was answered). A peer may be right with "other" or "lax" where
the RFC leaves a choice; "unlike" is worth a look.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import confusion_test as suite
from confusion import requests
from confusion.cases import EITHER, REFUSED
from play import *

QUIET = 0.1
VERDICTS = ["refused", "same", "other", "lax", "unlike"]
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
location / { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }
"""


def start_haproxy(stage, upstream):
    port = free_port()
    with open(stage.path("haproxy.cfg"), "w") as file:
        file.write(HAPROXY.format(port=port, upstream=upstream))
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", stage.path("haproxy.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stage.others.append(process)

    def is_ready():
        yes(process.poll() is None, "HAProxy ended")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(is_ready, "HAProxy to listen")
    return port


PEERS = {"nginx": lambda stage, upstream: stage.nginx(NGINX % upstream), "haproxy": start_haproxy}


def exchange(port, raw):
    """What comes until the end, or until nothing comes: not all can answer a client that has ended its direction."""
    data = bytearray()
    with socket.create_connection(("127.0.0.1", port)) as client, contextlib.suppress(OSError):
        client.settimeout(QUIET)
        client.sendall(raw)
        while received := client.recv(262144):
            data += received
        return bytes(data), "end"
    return bytes(data), "quiet"


def verdict(case, recorder, before, data, how):
    got = recorder.messages[before:]
    answers, wrong = suite.answers_in(data, how, lambda answer: getattr(recorder.of(answer), "method", "GET"))
    answered = [recorder.of(answer) for answer in answers if answer.get(b"x-serial")]
    if recorder.faults or wrong and "half" not in wrong:
        recorder.faults.clear()
        return "lax"
    if len(got) != len(answered):
        return "unlike"
    if answers and not answers[-1].get(b"x-serial") and answers[-1].status >= 400:
        return "refused"
    sequence = [(message.method, message.target, message.body) for message in answered]
    return "same" if case.wants == EITHER or sequence == case.wants else "other"


def play(name, words):
    stage = Stage()
    recorder = suite.Recorder()
    port = PEERS[name](stage, stage.upstream(recorder.act).port)
    counts, notes = {}, []
    for case in requests.TABLE:
        if words not in case.family:
            continue
        before = len(recorder.messages)
        data, how = exchange(port, case.raw)
        found = verdict(case, recorder, before, data, how)
        counts.setdefault(case.family, dict.fromkeys(VERDICTS, 0))[found] += 1
        if found == "unlike" or found in ["other", "lax"] and case.wants == REFUSED:
            notes.append(f"{found}: {case}")
    print(f"{name}\n  " + "".join(f"{verdict:>9}" for verdict in VERDICTS))
    for family, found in counts.items():
        print("  " + "".join(f"{count:9}" for count in found.values()) + f"  {family}")
    print("  not refused, or unlike:", *notes, sep="\n    ", flush=True)
    stage.clear()


chosen = [word for word in sys.argv[1:] if word in PEERS] or list(PEERS)
for peer in chosen:
    play(peer, " ".join(word for word in sys.argv[1:] if word not in PEERS))
