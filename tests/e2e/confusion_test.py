"""HTTP/1.1 that cannot be confused: the tables of confusion/, over real sockets, through several scripts.

A request case passes when the proxy answers 4xx or 5xx and closes, or when what the upstream got, read by the strict
reader of confusion/strict.py, is the very sequence of messages that the proxy answered, and the one that the table
wants. A response case passes when the client gets the wanted answer, or an error or a cut, and the client after it
gets its own. The client ends its direction behind what it sends, so the end of the answers says that all is over.
"""

import collections

from confusion import requests, responses, strict
from confusion.cases import EITHER, REFUSED
from play import *

UPSTREAM = '"127.0.0.1:$upstream"'
PIPELINED = f'listen($proxy):demuxHTTP(pipeline():muxHTTP(pipeline():connect({UPSTREAM}), "one", {{ pipelining = 64, maxSessions = 4 }}))'
BUFFERED = f"""
listen($proxy):demuxHTTP(pipeline()
  :handleMessage(function(req) req.headers["x-bytes"] = #req.body end)
  :muxHTTP(pipeline():connect({UPSTREAM}))
  :replaceMessageBody(function(body) return body end))
"""
BY_HAND = f"""
listen($proxy):decodeHTTPRequest():encodeHTTPRequest():connect({UPSTREAM}):decodeHTTPResponse():encodeHTTPResponse()
"""
# Answers at the head what it is asked, but for the two that tell whether bodies were read as what they are.
EARLY = f"""
listen($proxy):demuxHTTP(pipeline()
  :handleMessageStart(function(req)
    if req.path == "/after" or req.path == "/smuggled" then return end
    return Message {{ headers = {{ ["x-early"] = req.method .. " " .. req.path }}, body = "early" }}
  end)
  :muxHTTP(pipeline():connect({UPSTREAM})))
"""


class Recorder:
    """An upstream that reads strictly, keeps what it reads, and answers each message with its number."""

    def __init__(self):
        self.lock = threading.Lock()
        self.messages = []
        self.faults = []
        self.case = None

    def act(self, wire, number):
        data = bytearray()
        with contextlib.suppress(OSError):
            while True:
                message, used = self.read(data)
                if message:
                    del data[:used]
                    if not self.answer(wire, message):
                        return
                    continue
                received = wire.sock.recv(262144)
                if not received:
                    return
                data += received

    def read(self, data):
        reader = strict.Reader(data)
        try:
            return reader.request(), reader.at
        except strict.Incomplete:
            return None, 0
        except strict.Malformed as fault:
            with self.lock:
                self.faults.append(f"the upstream got: {fault}")
            raise OSError from None

    def answer(self, wire, message):
        """Whether the connection goes on."""
        with self.lock:
            self.messages.append(message)
            serial = len(self.messages)
            case = self.case
        if case and message.target == "/case":
            wire.send(case.raw)
            if case.resets:
                wire.reset()
            return not case.closes
        head = f"HTTP/1.1 200 OK\r\nX-Serial: {serial}\r\nContent-Length: 2\r\n\r\n"
        wire.send(head if message.method == "HEAD" else head + "ok")
        return True

    def of(self, answer):
        """The message that an answer of the upstream belongs to; None for one of the proxy's own."""
        serial = answer.get(b"x-serial")
        return self.messages[int(serial) - 1] if serial else None


def exchange(stage, port, raw, seed=None):
    """Sends and ends, maybe in pieces: (bytes, "end" or "reset")."""
    client = stage.client(port)
    was_sent = False
    with contextlib.suppress(OSError):
        if seed is None or len(raw) > 2000:
            client.send(raw)
        else:
            cuts = sorted(random.Random(seed).choices(range(len(raw) + 1), k=6))
            for begin, end in zip([0, *cuts], [*cuts, len(raw)]):
                client.send(raw[begin:end])
        client.shut()
        was_sent = True
    how, data = client.over()
    # Who is told of a reset when sending is not told again.
    how = how if was_sent or data else "reset"
    client.close()
    stage.clients.remove(client)
    return data, how


def answers_in(data, how, method_of):
    """(final responses, what is wrong). What a reset cut off is not wrong."""
    reader = strict.Reader(data)
    answers = []
    try:
        while reader.rest():
            answer = reader.response(method_of, how == "end")
            if answers and b"close" in answers[-1].options():
                return answers, f"bytes behind the last answer: {shorten(reader.rest())}"
            if answer.status >= 200:
                answers.append(answer)
    except strict.Malformed as fault:
        return answers, f"the client got: {fault}"
    except strict.Incomplete:
        return answers, None if how == "reset" else f"the client got half an answer: {shorten(reader.rest())}"
    return answers, None


def judge_request(case, recorder, before, data, how, may_cut):
    """What is wrong, or None."""
    got = recorder.messages[before:]
    answers, wrong = answers_in(data, how, lambda answer: getattr(recorder.of(answer), "method", "GET"))
    if wrong or recorder.faults:
        return wrong or recorder.faults.pop()
    own = [answer.status for answer in answers if not answer.get(b"x-serial")]
    answered = [recorder.of(answer) for answer in answers if answer.get(b"x-serial")]
    is_cut = may_cut and how == "reset"
    if any(message.target == "/smuggled" for message in got):
        return "/smuggled was asked for"
    if len(own) > 1 or own and (answers[-1].status != own[0] or own[0] < 400 or b"close" not in answers[-1].options()):
        return f"the proxy's own answers: {own}"
    if own and how != "end":
        return "the refusal is a reset"
    if not is_cut and {id(message) for message in got} != {id(message) for message in answered} or len(got) < len(answered):
        return f"the upstream got {[message.target for message in got]}, answered were {[message.target for message in answered]}"
    if case.wants == EITHER:
        return None
    if case.wants == REFUSED:
        if not own and not is_cut:
            return f"not refused: {[(message.method, message.target, message.body[:100]) for message in got]}"
        return "/after was asked for" if any(message.target == "/after" for message in got) else None
    sequence = [(message.method, message.target, message.body) for message in answered]
    if own or sequence != case.wants:
        return f"wanted {shorten(case.wants)}, came {shorten(sequence)} and {own}"
    fields = answered[0].fields if answered else []
    if missing := [field for field in case.keeps if field not in fields]:
        return f"not passed on: {missing}"
    return f"passed on: {case.lacks}" if any(name in case.lacks for name, _ in fields) else None


def report(table, wrongs):
    for name, count in table.families().items():
        bad = sum(1 for case, _ in wrongs if case.family == name)
        print(f"#   {count:4} {name}{f', {bad} WRONG' if bad else ''}")
    print(f"#   {len(table):4} cases", flush=True)
    if wrongs:
        raise Failure("\n    ".join([f"{len(wrongs)} cases are wrong:", *[f"{case}: {wrong}" for case, wrong in wrongs[:20]]]))


def settle(stage, port, upstream):
    """Behind a connection that was cut: what the upstream was sent of it has been recorded. A later one is accepted later,
    and where connections may be cut each client's has its own."""
    exchange(stage, port, get("/settled").encode())
    for thread in list(upstream.threads):
        thread.join(PATIENCE)


def play_requests(stage, script, may_cut=False):
    recorder = Recorder()
    upstream = stage.upstream(recorder.act)
    proxy = stage.proxy(script, upstream=upstream.port)
    wrongs = []
    for number, case in enumerate(requests.TABLE):
        for seed in [None, number]:
            before = len(recorder.messages)
            data, how = exchange(stage, proxy.port["proxy"], case.raw, seed)
            if may_cut and how == "reset":
                settle(stage, proxy.port["proxy"], upstream)
            if wrong := judge_request(case, recorder, before, data, how, may_cut):
                wrongs.append((case, wrong))
                break
    report(requests.TABLE, wrongs)


def judge_early(case, recorder, before, data, how):
    """What is wrong, or None: bodies that nobody reads are no requests, whatever was answered before they came."""
    def method_of(answer):
        early = answer.get(b"x-early")
        return early.split(b" ")[0].decode() if early else getattr(recorder.of(answer), "method", "GET")

    targets = [message.target for message in recorder.messages[before:]]
    answers, wrong = answers_in(data, how, method_of)
    if wrong or recorder.faults:
        return wrong or recorder.faults.pop()
    if set(targets) - {"/after"}:
        return f"the upstream got {targets}"
    own = [answer.status for answer in answers if not answer.get(b"x-serial") and not answer.get(b"x-early")]
    if len(own) > 1 or own and (answers[-1].status != own[0] or own[0] < 400 or b"close" not in answers[-1].options()):
        return f"the proxy's own answers: {own}"
    if case.wants == EITHER:
        return None
    if case.wants == REFUSED:
        return "/after was asked for" if targets else None
    came = [tuple(early.decode("latin-1").split(" ", 1)) for answer in answers if (early := answer.get(b"x-early"))]
    wanted = [(method, target) for method, target, _ in case.wants if target != "/after"]
    # It may end the connection instead of reading a body to its end; what it does answer is in order and all there.
    if own or came != wanted[:len(came)] or targets and came != wanted or len(targets) > len(case.wants) - len(wanted):
        return f"wanted {shorten(wanted)}, came {shorten(came)}, {own} and {targets}"
    return None


def play_early(stage):
    recorder = Recorder()
    proxy = stage.proxy(EARLY, upstream=stage.upstream(recorder.act).port)
    wrongs = []
    for number, case in enumerate(requests.TABLE):
        for seed in [None, number]:
            before = len(recorder.messages)
            data, how = exchange(stage, proxy.port["proxy"], case.raw, seed)
            if wrong := judge_early(case, recorder, before, data, how):
                wrongs.append((case, wrong))
                break
    report(requests.TABLE, wrongs)


def judge_response(case, data, how):
    if responses.MARK in data:
        return "bytes that answer nobody reached the client"
    answers, wrong = answers_in(data, how, lambda answer: case.method)
    if len(answers) > 1:
        return f"{len(answers)} answers to one request"
    if case.wants == EITHER:
        return wrong if wrong and "half" not in wrong else None
    came = [(answer.status, answer.body) for answer in answers]
    if case.wants == REFUSED:
        if wrong and "half" not in wrong:
            return wrong
        return f"passed as complete: {shorten(came)}" if came and came[0][0] < 500 else None
    if wrong or came != case.wants:
        return wrong or f"wanted {case.wants}, came {shorten(came)}, {how}"
    return f"passed on: {case.lacks}" if any(name in case.lacks for name, _ in answers[0].fields) else None


def play_responses(stage, script, may_cut=False):
    recorder = Recorder()
    proxy = stage.proxy(script, upstream=stage.upstream(recorder.act).port)
    wrongs = []
    for case in responses.TABLE:
        recorder.case = case
        data, how = exchange(stage, proxy.port["proxy"], f"{case.method} /case HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wrong = judge_response(case, data, how)
        data, how = exchange(stage, proxy.port["proxy"], get("/next").encode())
        answers, broken = answers_in(data, how, lambda answer: "GET")
        message = recorder.of(answers[0]) if len(answers) == 1 else None
        if broken or message is not recorder.messages[-1] or message.target != "/next":
            wrong = wrong or broken or f"the next client got {shorten(data)}"
        if wrong or recorder.faults:
            wrongs.append((case, wrong or recorder.faults.pop()))
    report(responses.TABLE, wrongs)


for sentence, text, cuts in [("a plain muxHTTP", PLAIN, False), ("one pipelined connection", PIPELINED, False),
                             ("handlers that buffer", BUFFERED, False), ("codecs by hand", BY_HAND, True)]:
    scene(f"requests that could be read in two ways, through {sentence}")(
        lambda stage, text=text, cuts=cuts: play_requests(stage, text, cuts))
    scene(f"responses that could be read in two ways, through {sentence}")(
        lambda stage, text=text, cuts=cuts: play_responses(stage, text, cuts))

scene("requests that could be read in two ways, to a script that answers before it has read them")(play_early)


@scene("every row of the tables has a name of its own, and the families are as large as they must be")
def tables(stage):
    for table, least in [(requests.TABLE, 200), (responses.TABLE, 100)]:
        yes(len(table) >= least, f"{len(table)} cases")
        same([str(case) for case, count in collections.Counter(map(str, table)).items() if count > 1], [], "rows that are there twice")
    bare = strict.Reader(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\n\r\n")
    try:
        bare.request()
    except strict.Malformed:
        return
    raise Failure("the strict reader takes a bare LF")


@scene("bytes on an idle upstream connection answer nobody")
def unsolicited(stage):
    sent = Gate("the unasked answer")

    def act(wire, number):
        wire.request()
        wire.send(ok("one") if number == 1 else ok("two"))
        if number == 1:
            wire.send(responses.TRAP)
            sent.open()
        with contextlib.suppress(End):
            wire.request()
            raise Failure("a connection that is out of step was used again")

    proxy = stage.proxy(PLAIN, upstream=stage.upstream(act).port)
    same(stage.client(proxy).ask(get()).body, b"one")
    sent.wait()
    same(stage.client(proxy).ask(get()).body, b"two")


@scene("an answer before its request is complete: the rest of the body is no request, here or there")
def early_response(stage):
    answered = Gate("the early answer")

    def act(wire, number):
        wire.head()
        wire.send(ok("early"))
        answered.open()
        with contextlib.suppress(End, Failure):
            while True:
                wire.fill()

    upstream = stage.upstream(act)
    client = stage.client(stage.proxy(PLAIN, upstream=upstream.port))
    body = requests.SMUGGLED * 3
    client.send(post(body)[:-len(body)])
    answered.wait()
    same(client.response().body, b"early")
    client.try_send(body)
    client.shut()
    same(client.over()[1], b"")
    same([request.path for request in upstream.requests], ["/"])


if __name__ == "__main__":
    main()
