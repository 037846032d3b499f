"""The recipes of README.md, each served in front of two upstreams and asked what it promises."""

import http.client
import re
import signal
import unittest

import program

UPSTREAMS = """
listen("127.0.0.1:8080"):serveHTTP(function(req)
  return Message {
    headers = { server = "up", ["x-got"] = tostring(req.headers["x-real-ip"]) .. " " .. tostring(req.headers.authorization) },
    body = "8080 " .. req.path,
  }
end)
listen("127.0.0.1:8081"):serveHTTP(Message "8081")
listen("127.0.0.1:9000"):serveHTTP(function(req)
  if req.headers.authorization ~= "me" then return Message { status = 403 } end
  return Message { headers = { ["x-user"] = "ann" } }
end)
"""


def recipes():
    """The sentence in front of each block, and the block."""
    text = (program.ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("### Recipes"):text.index("### ctx")]
    return re.findall(r"^([A-Z][^`]*?):\n\n```lua\n(.*?)```", re.sub(r"`(\w+)`", r"\1", section), re.S | re.M)


class Recipes(unittest.TestCase):
    def served(self, words):
        (script,) = [script for sentence, script in recipes() if words in sentence]
        ports = program.free_ports(4)
        folder = program.temporary_folder(self)
        for name, text in (("proxy.lua", script), ("upstreams.lua", UPSTREAMS)):
            for port, free in zip((8000, 8080, 8081, 9000), ports):
                text = re.sub(rf"(listen\(|127\.0\.0\.1:){port}\b", rf"\g<1>{free}", text)
            (folder / name).write_text(text, encoding="utf-8")
        self.port = ports[0]
        return program.Running(folder, "proxy.lua", "upstreams.lua")

    def ask(self, path="/", headers=None):
        """(status, body, headers) of an answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=program.PATIENCE)
        client.request("GET", path, headers=headers or {})
        answer = client.getresponse()
        found = answer.status, answer.read().decode(), answer.headers
        client.close()
        return found

    def test_every_recipe_is_tried_here(self):
        self.assertEqual(len(recipes()), 10)

    def test_a_reverse_proxy(self):
        with self.served("reverse proxy"):
            status, body, headers = self.ask("/a?b")
            self.assertEqual((status, body, headers["x-got"], headers["server"]), (200, "8080 /a?b", "127.0.0.1 nil", None))

    def test_answers_from_the_script(self):
        with self.served("Answers from the script"):
            self.assertRegex(self.ask("/time")[1], r'^\{"now":\d+(\.\d+)?\}$')
            self.assertEqual(self.ask("/else")[:2], (404, "try /time"))

    def test_a_prefix(self):
        with self.served("prefix cut off"):
            self.assertEqual(self.ask("/api/v1/x?y=1")[:2], (200, "8080 /v1/x?y=1"))
            self.assertEqual(self.ask("/other")[0], 404)

    def test_a_password(self):
        with self.served("password"):
            status, _, headers = self.ask()
            self.assertEqual((status, headers["www-authenticate"]), (401, 'Basic realm="web"'))
            status, _, headers = self.ask(headers={"Authorization": "Basic bWU6c2VjcmV0"})
            self.assertEqual((status, headers["x-got"]), (200, "nil nil"))

    def test_several_upstreams(self):
        with self.served("Several upstreams"):
            bodies = sorted(self.ask()[1] for _ in range(6))
            self.assertEqual(bodies, ["8080 /"] * 2 + ["8081"] * 4)

    def test_a_cluster(self):
        with self.served("A cluster"):
            self.assertEqual(self.ask()[0], 401)
            bodies = sorted(self.ask(headers={"Authorization": "me"})[1] for _ in range(6))
            self.assertEqual(bodies, ["8080 /"] * 2 + ["8081"] * 4)

    def test_two_questions(self):
        with self.served("Two questions"):
            self.assertEqual(self.ask()[:2], (200, '["8080 /a","8081"]'))

    def test_answers_that_are_kept(self):
        with self.served("Answers that are kept"):
            first = self.ask("/a", {"X-Real-IP": "one"})
            second = self.ask("/a", {"X-Real-IP": "two"})
            self.assertEqual((first[1], first[2]["x-got"]), ("8080 /a", "one nil"))
            self.assertEqual((second[1], second[2]["x-got"]), ("8080 /a", "one nil"))
            self.assertEqual(self.ask("/b", {"X-Real-IP": "two"})[2]["x-got"], "two nil")
            self.assertEqual(self.ask("/a", {"X-Real-IP": "three", "Authorization": "me"})[2]["x-got"], "three me")

    def test_bytes(self):
        with self.served("Bytes"):
            self.assertEqual(self.ask("/raw")[:2], (200, "8080 /raw"))

    def test_what_survives_a_reload(self):
        with self.served("survives reloads") as proxy:
            self.assertEqual(self.ask()[1], "request 1")
            for number in (2, 3):
                proxy.process.send_signal(signal.SIGHUP)
                # The old one may end before it is said that the new one serves, or after.
                seen = proxy.wait_for(" serves, loaded", "a version has ended")
                proxy.wait_for("a version has ended" if "serves" in seen else " serves, loaded")
                self.assertEqual(self.ask()[1], f"request {number}")


if __name__ == "__main__":
    unittest.main()
