"""The relay carries every byte both ways, passes half-closes on, and closes when one side is gone.

Usage: test_relay.py RELAY
"""

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

RELAY = None
SECONDS = 20
# Far more than socket buffers hold, so that both directions have to wait.
BIG = os.urandom(1 << 20) * 24


def receive_all(connection):
    digest, count = hashlib.sha256(), 0
    while piece := connection.recv(1 << 16):
        digest.update(piece)
        count += len(piece)
    return count, digest.hexdigest()


class Relayed(unittest.TestCase):
    def setUp(self):
        self.upstream = socket.create_server(("127.0.0.1", 0))
        self.upstream.settimeout(SECONDS)
        self.addCleanup(self.upstream.close)
        port = str(self.upstream.getsockname()[1])
        self.relay = subprocess.Popen([RELAY, "0", port], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.port = int(re.match(r"listening on (\d+)", self.relay.stdout.readline())[1])

    def stop(self):
        self.relay.kill()
        self.relay.wait()
        self.relay.stdout.close()

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self.addCleanup(client.close)
        server, _ = self.upstream.accept()
        server.settimeout(SECONDS)
        self.addCleanup(server.close)
        return client, server

    def test_question_and_answer_again_and_again(self):
        client, server = self.connect()
        for number in range(100):
            client.sendall(b"question %d" % number)
            self.assertEqual(server.recv(100), b"question %d" % number)
            server.sendall(b"answer %d" % number)
            self.assertEqual(client.recv(100), b"answer %d" % number)

    def test_the_upstream_may_speak_first(self):
        client, server = self.connect()
        server.sendall(b"220 ready")
        self.assertEqual(client.recv(100), b"220 ready")

    def test_much_both_ways_at_once_then_half_closes(self):
        client, server = self.connect()

        def send(connection):
            connection.sendall(BIG)
            connection.shutdown(socket.SHUT_WR)

        senders = [threading.Thread(target=send, args=(end,)) for end in (client, server)]
        results = {}
        readers = [
            threading.Thread(target=lambda end=end: results.__setitem__(end, receive_all(end)))
            for end in (client, server)
        ]
        for thread in senders + readers:
            thread.start()
        for thread in senders + readers:
            thread.join()
        expected = (len(BIG), hashlib.sha256(BIG).hexdigest())
        self.assertEqual(results, {client: expected, server: expected})

    def test_an_answer_after_the_half_close(self):
        client, server = self.connect()
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive_all(server)[0], len(b"last words"))
        server.sendall(b"still here")
        server.close()
        self.assertEqual(receive_all(client)[0], len(b"still here"))

    def test_nobody_behind(self):
        self.upstream.close()
        client = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self.addCleanup(client.close)
        try:
            self.assertEqual(client.recv(1), b"")
        except ConnectionResetError:
            pass
        self.assertIsNone(self.relay.poll())


if __name__ == "__main__":
    RELAY = sys.argv.pop(1)
    unittest.main()
