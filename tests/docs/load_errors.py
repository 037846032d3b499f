"""What `check` and `run` do with scripts that are wrong, beyond what they say: that is in mistakes_told.py."""

import http.client
import signal
import socket
import subprocess
import time
import unittest

import program
from mistakes import RESPONSE


class LoadErrors(unittest.TestCase):
    def setUp(self):
        self.folder = program.temporary_folder(self)

    def check(self, script):
        (self.folder / "proxy.lua").write_text(script, encoding="utf-8")
        return program.run("check", "proxy.lua", folder=self.folder)

    def test_a_module_alone_and_tasks_alone_are_right(self):
        for script in ("return {}", "every(1, function() end)", "after(1, function() end)",
                       "every(1, function() end, { worker = 'one' })"):
            done = self.check(script)
            self.assertEqual((done.returncode, done.stdout), (0, "ok: 1 file, 0 listeners\n"), script + done.stderr)

    def test_a_module_is_not_run(self):
        (self.folder / "proxy.lua").write_text("return {}", encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is nothing to do", done.stderr)

    def test_an_access_log_that_cannot_be_opened_is_told_with_its_place(self):
        (self.folder / "proxy.lua").write_text(
            f'\nlisten("unix:x.sock", {{ accessLog = {{ file = "none/a.log" }} }}):serveHTTP({RESPONSE})', encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "perilune: proxy.lua:2: cannot write none/a.log: No such file or directory\n"))

    def test_a_right_script_is_not(self):
        done = self.check(f"listen(1):serveHTTP({RESPONSE})")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok: 1 file, 1 listener\n", ""))

    def test_run_refuses_it_too_and_serves_nothing(self):
        (self.folder / "proxy.lua").write_text("listen(1, { idle = 3 })", encoding="utf-8")
        done = program.run("run", "proxy.lua", folder=self.folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.startswith('perilune: proxy.lua:1: listen: unknown option "idle"'), done.stderr)


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=program.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(program.PATIENCE)
        self.sock.connect(self.path)


class TwoScripts(unittest.TestCase):
    def test_they_cannot_share_an_address(self):
        folder = program.temporary_folder(self)
        for name in ["a.lua", "b.lua"]:
            (folder / name).write_text('\nlisten(8000):serveHTTP(Message "x")', encoding="utf-8")
        done = subprocess.run([program.PROGRAM, "check", "a.lua", "b.lua"], cwd=folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "perilune: b.lua:2: listen: 0.0.0.0:8000 is listened at already, in a.lua:2\n"))


class EndlessScripts(unittest.TestCase):
    """A script that never comes back holds a thread for ever, and must not hold the process."""

    def stopped(self, script, begin):
        folder = program.temporary_folder(self)
        (folder / "proxy.lua").write_text(script, encoding="utf-8")
        command = [program.PROGRAM, "run", "--workers", "1", "--drain", "30s", "--admin", "off", "proxy.lua"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            try:
                held = begin(folder, process)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(program.PATIENCE), 1)
                self.assertIn("does not return from its script", process.stderr.read())
                if held:
                    held.close()
            finally:
                process.kill()

    def test_a_handler(self):
        def begin(folder, process):
            while "perilune serves" not in process.stderr.readline():
                pass
            client = Unix(str(folder / "proxy.sock"))
            client.request("GET", "/")
            time.sleep(0.2)
            return client

        self.stopped('listen("unix:proxy.sock"):serveHTTP(function() while true do end end)', begin)

    def test_check_says_it(self):
        folder = program.temporary_folder(self)
        (folder / "proxy.lua").write_text("listen(1)\n\nwhile true do end", encoding="utf-8")
        done = subprocess.run([program.PROGRAM, "check", "proxy.lua"], cwd=folder, capture_output=True, text=True,
                              timeout=program.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^perilune: proxy.lua:3: the top of the file has not ended in time")

    def test_the_top_of_a_file(self):
        self.stopped("listen(1)\nwhile true do end", lambda folder, process: time.sleep(0.5))


if __name__ == "__main__":
    unittest.main()
