"""`perilune test` itself: what it finds, what it says of tests that pass, fail, hang and break, and its formats."""

import os
import pathlib
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
import program  # noqa: E402

PROXY = """\
local greeting = "hello"
listen(8000):demuxHTTP(pipeline()
  :handleMessageStart(function(req)
    log.info("asked " .. req.path)
    if req.path == "/bad" then
      return Message { status = 400 }
    end
  end)
  :muxHTTP("up"))

pipeline("up"):connect("10.0.0.1:80")
"""

TEST = """\
local proxy

beforeEach(function()
  proxy = test.load "proxy.lua"
  proxy:upstream("10.0.0.1:80", "up")
end)

test("it forwards", function()
  expect(proxy:request(8000, "/a").body):equals("up")
end)

test("it refuses", function()
  expect(proxy:request(8000, "/bad").status):equals(401)
end)
"""


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = program.temporary_folder(self)

    def write(self, **files):
        for name, text in files.items():
            (self.folder / (name.replace("__", "/") + ".lua")).write_text(text)

    def run_tests(self, *words):
        return program.run("test", *words, folder=self.folder)

    def single(self, body, *words, proxy=PROXY):
        """One test with this body; what the command said."""
        self.write(proxy=proxy, a_test=f'local proxy\ntest("it", function()\n{body}\nend)\n')
        return self.run_tests(*words)


class WhatItRuns(CommandTest):
    def test_good_and_bad_ones_are_counted_and_the_exit_code_tells(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        done = self.run_tests()
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:3], ["proxy_test.lua", "  ok    it forwards", "  FAIL  it refuses"])
        self.assertEqual(lines[-1], "1 passed, 1 failed")
        self.write(proxy_test=TEST.replace("401", "400"))
        done = self.run_tests()
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "2 passed, 0 failed"))

    def test_it_finds_files_by_name_in_folders_and_takes_any_file_that_is_named(self):
        for folder in ("deep/er", ".hidden"):
            (self.folder / folder).mkdir(parents=True)
        one = 'test("one", function() expect(1):equals(1) end)'
        self.write(deep__er__test=one, deep__b_test=one, deep__tests=one, contest=one, **{".hidden__x_test": one})
        done = self.run_tests()
        self.assertEqual([line for line in done.stdout.splitlines() if line.endswith(".lua")],
                         ["deep/b_test.lua", "deep/er/test.lua"])
        self.assertEqual(self.run_tests("deep/er").stdout.splitlines()[-1], "1 passed, 0 failed")
        self.assertEqual(self.run_tests("contest.lua", "deep").stdout.splitlines()[-1], "3 passed, 0 failed")

    def test_no_tests_is_a_failure(self):
        done = self.run_tests()
        self.assertEqual((done.returncode, done.stdout), (1, "0 passed, 0 failed\n"))
        self.assertIn("there is no *_test.lua and no test.lua under the paths that were given", done.stderr)
        self.write(a_test='local x = 1')
        done = self.run_tests()
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no test: write test(", done.stdout)

    def test_a_wrong_command_line_is_an_exit_code_of_two(self):
        for words in (["nowhere"], ["--format", "yaml"], ["--sed", "1"], ["--seed", "x"], ["--seed", "-1"]):
            self.assertEqual(self.run_tests(*words).returncode, 2, words)
        self.assertIn("test has no option --sed; did you mean --seed?", self.run_tests("--sed", "1").stderr)

        self.assertEqual(self.run_tests("--seed", "-1").stderr,
                         'perilune: --seed: "-1" is no seed: write a whole number of at least 0\n'
                         "See perilune test --help.\n")

    def test_listen_belongs_in_the_script(self):
        self.write(a_test='listen(8000):serveHTTP(Message "x")\ntest("it", function() end)')
        self.assertIn("a_test.lua:1: listen: it belongs in the script that test.load loads", self.run_tests().stdout)

    def test_a_filter_chooses_by_name(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        done = self.run_tests("--filter", "forwards")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "1 passed, 0 failed"))
        done = self.run_tests("--filter", "nothing")
        self.assertEqual(done.returncode, 1)
        self.assertIn('no test has "nothing" in its name', done.stderr)

    def test_a_file_that_is_broken_is_a_failure_and_stops_no_other(self):
        self.write(a_test="test(", b_test="lisen(1)", c_test='test("c", function() end)')
        done = self.run_tests()
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 2 failed")
        self.assertRegex(done.stdout, r"a_test.lua:1: unexpected symbol near")
        self.assertIn('b_test.lua:1: unknown name "lisen"; did you mean "listen"?', done.stdout)

    def test_every_test_has_the_file_and_the_script_for_itself(self):
        self.write(a_test="""
            local count = 0
            beforeEach(function() count = count + 1 end)
            afterEach(function() log.info("after") end)
            test("first", function() expect(count):equals(1) end)
            test("second", function() expect(count):equals(1) expect(test.log()):equals("") end)
        """)
        self.assertEqual(self.run_tests().stdout.splitlines()[-1], "2 passed, 0 failed")


class WhatAFailureShows(CommandTest):
    def test_what_was_expected_where_the_way_through_the_filters_and_the_log(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        text = self.run_tests().stdout
        self.assertIn("        expected 401\n             got 400\n        at proxy_test.lua:13\n", text)
        trace = text[text.index("what passed through the script:"):text.index("log:")]
        places = re.findall(r"\s(proxy.lua:\d+) +(\w+) +(\w+)", trace)
        self.assertIn(("proxy.lua:2", "demuxHTTP", "data"), places)
        self.assertIn(("proxy.lua:3", "handleMessageStart", "request"), places)
        self.assertRegex(trace, r"proxy.lua:2 +comes out +response 400")
        self.assertNotRegex(trace, "muxHTTP +request")
        self.assertIn("info  asked /bad", text[text.index("log:"):])

    def test_the_log_of_a_good_test_is_not_shown(self):
        self.write(proxy=PROXY, proxy_test=TEST.replace("401", "400"))
        done = self.run_tests()
        self.assertNotIn("asked", done.stdout + done.stderr)

    def test_an_error_in_the_test_an_upstream_or_a_hook(self):
        done = self.single('  error("broken")')
        self.assertIn("a_test.lua:3: broken", done.stdout)
        done = self.single('  local x = nil + 1')
        self.assertIn("a_test.lua:3: attempt to perform arithmetic", done.stdout)
        done = self.single("""
            proxy = test.load "proxy.lua"
            proxy:upstream("10.0.0.1:80", function(req) expect(req.path):equals("/b") end)
            proxy:request(8000, "/a")""")
        self.assertIn('the upstream 10.0.0.1:80: expected "/b"', done.stdout)
        self.assertIn("at a_test.lua:5", done.stdout)
        done = self.single("""
            proxy = test.load "proxy.lua"
            proxy:upstream("10.0.0.1:80", function(req) end)
            proxy:request(8000, "/a")""")
        self.assertIn("the upstream 10.0.0.1:80: its function gave nil; forgot return?", done.stdout)
        self.write(a_test='beforeEach(function() error("early") end)\ntest("it", function() error("never") end)')
        self.assertIn("a_test.lua:1: early", self.run_tests().stdout)
        self.write(a_test='afterEach(function() error("late") end)\ntest("it", function() end)')
        done = self.run_tests()
        self.assertIn("a_test.lua:1: late", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_a_task_that_fails_fails_its_test(self):
        done = self.single('  test.spawn(function() error("aside") end)\n  sleep(1)')
        self.assertIn("a_test.lua:3: aside", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_an_error_in_the_script_is_a_place_in_the_log(self):
        done = self.single("""
            proxy = test.load "proxy.lua"
            expect(proxy:request(8000).status):equals(200)""", proxy=PROXY.replace("return Message { status = 400 }", "error(1)").replace('"/bad"', '"/"'))
        self.assertIn("got 500", done.stdout)
        self.assertRegex(done.stdout, r"error script: proxy.lua:6: ")

    def test_a_script_that_does_not_load(self):
        done = self.single('  test.load "proxy.lua"', proxy="listen(8000):muxHTP()")
        self.assertIn('a_test.lua:3: test.load: proxy.lua:1: there is no filter "muxHTP"; did you mean "muxHTTP"?', done.stdout)


class WhatHangs(CommandTest):
    def test_a_wait_for_what_can_never_come_ends_at_once(self):
        done = self.single("""
            proxy = test.load "proxy.lua"
            proxy:upstream("10.0.0.1:80", test.raw(function(c) c:receive("never") end))
            local client = proxy:connect(8000)
            client:receive(1)""", proxy='listen(8000, { idleTimeout = false }):connect("10.0.0.1:80", { idleTimeout = false })')
        self.assertIn("the test waits for something that can never happen", done.stdout)
        self.assertIn("at a_test.lua:7", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    def test_a_test_that_goes_on_for_ever_has_an_hour_of_virtual_time(self):
        done = self.single('  while true do sleep(60) end')
        self.assertIn("the test is not over after 3600 s of virtual time", done.stdout)
        self.assertIn("at a_test.lua:3", done.stdout)

    def test_time_that_the_test_lets_pass_does_not_count(self):
        self.assertEqual(self.single('  test.advance("30h")\n  expect(test.now()):equals(108000)').returncode, 0)

    def test_something_that_happens_for_ever_in_one_moment(self):
        done = self.single('  while true do sleep(0) end')
        self.assertIn("time stands still", done.stdout)


class Formats(CommandTest):
    def setUp(self):
        super().setUp()
        self.write(proxy=PROXY, proxy_test=TEST, odd_test="""
            test("a # and <tags> & \\"quotes\\"", function() expect("\\1\\255<>&"):equals("]]>") end)
            test("good", function() end)
        """)

    def test_tap(self):
        done = self.run_tests("--format", "tap")
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "TAP version 13")
        self.assertEqual(lines[-1], "1..4")
        points = [line for line in lines if re.match(r"(not )?ok ", line)]
        self.assertEqual(points, [
            'not ok 1 - odd_test.lua: a \\# and <tags> & "quotes"', "ok 2 - odd_test.lua: good",
            "ok 3 - proxy_test.lua: it forwards", "not ok 4 - proxy_test.lua: it refuses",
        ])
        inside = False
        for line in lines[1:-1]:  # every other line is a comment or a block of the point before it
            if line == "  ---":
                inside = True
            elif line == "  ...":
                inside = False
            else:
                self.assertTrue(inside or line in points or line.startswith("# "), line)
        self.assertFalse(inside)

    def test_junit(self):
        done = self.run_tests("--format", "junit")
        self.assertEqual(done.returncode, 1)
        root = xml.etree.ElementTree.fromstring(done.stdout)
        self.assertEqual((root.tag, root.get("tests"), root.get("failures")), ("testsuites", "4", "2"))
        self.assertEqual([(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root],
                         [("odd_test.lua", "2", "1"), ("proxy_test.lua", "2", "1")])
        cases = {case.get("name"): case for case in root.iter("testcase")}
        self.assertIn('a # and <tags> & "quotes"', cases)
        failure = cases["it refuses"].find("failure")
        self.assertEqual(failure.get("message"), "expected 401")
        self.assertIn("at proxy_test.lua:13", failure.text)
        self.assertIsNone(cases["it forwards"].find("failure"))
        for suite in root:
            for case in suite:
                self.assertEqual(case.get("classname"), suite.get("name"))
                self.assertGreaterEqual(float(case.get("time")), 0)

    def test_no_tests_in_any_format(self):
        done = self.run_tests("--format", "tap", "--filter", "none")
        self.assertEqual(done.stdout, "TAP version 13\n# odd_test.lua\n# proxy_test.lua\n1..0\n")
        root = xml.etree.ElementTree.fromstring(self.run_tests("--format", "junit", "--filter", "none").stdout)
        self.assertEqual(root.get("tests"), "0")


class Coverage(CommandTest):
    def test_lines_that_ran_and_lines_that_did_not(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        done = self.run_tests("--coverage", "--filter", "forwards")
        self.assertEqual(done.stdout.splitlines()[-2:], [
            "proxy.lua  7 of 8 lines, 87 %; missed 6",
            "all        7 of 8 lines, 87 %",
        ])
        done = self.run_tests("--coverage")
        self.assertEqual(done.stdout.splitlines()[-2], "proxy.lua  8 of 8 lines, 100 %")

    def test_modules_count_and_what_never_ran_is_in_ranges(self):
        self.write(words="""\
local words = {}
function words.hello()
  return "hello"
end
function words.never(x)
  local y = x

  -- nothing
  return y
end
return words
""", proxy='local words = require "words"\nlisten(8000):serveHTTP(function()\n  return Message(words.hello())\nend)\n',
                   a_test='test("it", function() expect(test.load("proxy.lua"):request(8000).body):equals("hello") end)')
        done = self.run_tests("--coverage")
        self.assertEqual(done.stdout.splitlines()[-3:], [
            "proxy.lua  3 of 3 lines, 100 %", "words.lua  5 of 7 lines, 71 %; missed 6-9",
            "all        8 of 10 lines, 80 %",
        ])

    def test_files_that_the_test_gives_are_left_out(self):
        self.write(proxy=PROXY, given=PROXY, a_test="""
            local files = { ["made.lua"] = 'listen(8000):serveHTTP(Message "x")', ["given.lua"] = "return 1" }
            local function load(name) test.load(name, { files = files }) end
            test("it", function() load "made.lua" end)
            test("this", function() load "proxy.lua" end)
        """)
        done = self.run_tests("--coverage")
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()[-2:]], ["proxy.lua", "all"], done.stdout)
        self.assertNotIn("made.lua", done.stdout)

    def test_beside_a_format_for_machines_it_goes_to_the_other_output(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        done = self.run_tests("--coverage", "--format", "junit")
        xml.etree.ElementTree.fromstring(done.stdout)
        self.assertIn("proxy.lua  8 of 8 lines", done.stderr)


GATEWAY = """\
listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80")):%s)
"""
CHAOS = """\
beforeEach(function()
  local proxy = test.load "proxy.lua"
  proxy:upstream("10.0.0.1:80", %s)
end)
test.chaos { seeds = 40, patience = "3m"%s }
"""


class Chaos(CommandTest):
    def chaos(self, *words, proxy=GATEWAY % "handleMessageStart(function() end)", upstream='"fine"', options=""):
        self.write(proxy=proxy, a_test=CHAOS % (upstream, options))
        return self.run_tests(*words)

    def test_a_good_script_passes_and_says_how_much_was_asked(self):
        done = self.chaos()
        self.assertEqual(done.returncode, 0, done.stdout)
        match = re.search(r"ok    chaos: 40 seeds, (\d+) requests: (\d+) answered, (\d+) cut", done.stdout)
        asked, answered, cut = map(int, match.groups())
        self.assertEqual(asked, answered + cut)
        self.assertGreater(asked, 200)
        self.assertGreater(answered, asked / 3)  # a run in which everything fails proves nothing
        self.assertGreater(cut, 0)

    def test_a_handler_that_loses_an_answer_is_found_and_the_seed_replays(self):
        # One in some hundred answers never comes.
        script = GATEWAY % """handleMessageStart(function(res, ctx)
          if ctx.request.method == "PUT" and ctx.request.headers["x-chaos-id"]:find("7$") then sleep("5h") end
        end)"""
        done = self.chaos(proxy=script)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"request \d*7 \(PUT /\) got no answer, and its connection is open after 180 s")
        seed = re.search(r"again: perilune test a_test.lua --seed (\d+) --filter 'chaos'", done.stdout)[1]
        self.assertIn("seeds that fail: " + seed, done.stdout)
        self.assertIn("what passed through the script:", done.stdout)
        again = self.run_tests("a_test.lua", "--seed", seed, "--filter", "chaos")
        self.assertEqual(again.returncode, 1)

        def trace(text):
            return re.findall(r"^ +[\d.]+ s +#.*$", text, re.M)
        self.assertEqual(trace(again.stdout), trace(done.stdout))
        self.assertGreater(len(trace(done.stdout)), 10)

    def test_an_answer_that_nobody_asked_for_is_found(self):
        # A relay that puts an answer of its own in front of the upstream's.
        script = """
            local mine = "HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
            listen(8000):connect("10.0.0.1:80"):replaceData(function(data)
              local bytes = tostring(data)
              return bytes:find("^HTTP/1.1 200") and mine .. bytes or bytes
            end)
        """
        done = self.chaos(proxy=script)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"bytes came behind the last answer that nobody asked for|got the answer to request \d+")

    def test_answers_that_change_places_are_found(self):
        script = """
            local kept
            listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80"))
              :handleMessageStart(function(res)
                local mine = res.headers["x-chaos-id"]
                res.headers["x-chaos-id"], kept = kept or mine, mine
              end))
        """
        done = self.chaos(proxy=script)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"request \d+ \(\w+ /\) got the answer to request \d+")
        self.assertEqual(self.chaos(proxy=script, options=", identify = false").returncode, 0)

    def test_an_upstream_that_answers_twice_harms_nobody_behind_a_good_script(self):
        twice = """test.raw(function(c)
            while true do
              local head = c:receive("\\r\\n\\r\\n")
              if not head then return c:close() end
              local id = head:match("x%-chaos%-id: (%d+)")
              local answer = "HTTP/1.1 200 OK\\r\\nX-Chaos-Id: " .. id .. "\\r\\nContent-Length: 0\\r\\n\\r\\n"
              c:send(answer .. answer)
            end
          end)"""
        requests = ', requests = { "/" }'
        done = self.chaos(upstream=twice, options=requests)
        self.assertEqual(done.returncode, 0, done.stdout)
        # A relay of bytes lets it through.
        done = self.chaos(proxy='listen(8000):connect("10.0.0.1:80")', upstream=twice, options=requests)
        self.assertEqual(done.returncode, 1)

    def test_a_session_that_does_not_end_is_found(self):
        done = self.chaos(proxy='listen(8000, { idleTimeout = false }):handleSessionStart(function() sleep("9h") end)'
                                ':connect("10.0.0.1:80")')
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "got no answer|sessions are open")

    def test_without_a_script_it_says_so(self):
        self.write(a_test="test.chaos { seeds = 1 }")
        self.assertIn("no script is loaded; load it in beforeEach", self.run_tests().stdout)

    def test_wrong_options_are_refused_where_they_stand(self):
        for options, words in (
            ("{ seed = 1 }", 'unknown option "seed"; did you mean "seeds"?'),
            ("{ seeds = 0 }", 'option "seeds" expects a whole number of at least 1, got 0'),
            ("{ name = '' }", 'option "name" expects a sentence'),
            ("{ requests = {} }", 'option "requests" expects a list of requests'),
            ("{ requests = { { paht = '/' } } }", 'unknown option "paht"; did you mean "path"?'),
            ("{ patience = 'x' }", 'option "patience" expects a number of seconds'),
            ("{ port = {} }", 'option "port" expects a port'),
        ):
            self.write(a_test=f"test.chaos {options}")
            done = self.run_tests()
            self.assertIn("a_test.lua:1: test.chaos: ", done.stdout)
            self.assertIn(words, done.stdout)


class Watching(CommandTest):
    def test_it_runs_again_when_a_file_changes_that_was_read(self):
        self.write(proxy=PROXY, proxy_test=TEST)
        with subprocess.Popen([program.PROGRAM, "test", "--watch"], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            try:
                def sums():
                    for line in running.stdout:
                        if re.match(r"\d+ passed", line):
                            running.stderr.readline()  # it says that it waits
                            return line
                self.assertEqual(sums(), "1 passed, 1 failed\n")
                self.write(proxy_test=TEST.replace("401", "400"))
                self.assertEqual(sums(), "2 passed, 0 failed\n")
                # As editors do it: written beside, and renamed.
                (self.folder / "new").write_text(PROXY.replace("400", "402"))
                os.rename(self.folder / "new", self.folder / "proxy.lua")
                self.assertEqual(sums(), "1 passed, 1 failed\n")
                self.write(another_test='test("new", function() end)')
                self.assertEqual(sums(), "2 passed, 1 failed\n")
            finally:
                running.kill()


if __name__ == "__main__":
    unittest.main()
