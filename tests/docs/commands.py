"""The commands that write and judge scripts: `new`, and `check` with its warnings."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import program
import recipes
from mistakes import RESPONSE

FILES = [".luarc.json", "README.md", "proxy.lua", "proxy_test.lua"]


class New(unittest.TestCase):
    def setUp(self):
        self.folder = program.temporary_folder(self)

    def test_the_folder_has_a_proxy_that_passes_and_its_test(self):
        done = program.run("new", "my-proxy", folder=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "my-proxy: proxy.lua, proxy_test.lua, README.md, .luarc.json\n")
        made = self.folder / "my-proxy"
        self.assertEqual(sorted(os.listdir(made)), FILES)
        done = program.run("check", "--strict", "proxy.lua", folder=made)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok: 1 file, 1 listener\n", ""))
        for name in FILES:
            text = (made / name).read_text(encoding="utf-8")
            self.assertNotRegex(text, r"\b(NAME|TYPES)\b")
            self.assertTrue(text.endswith("\n"))
        self.assertTrue((made / "README.md").read_text(encoding="utf-8").startswith("# my-proxy\n"))

    def test_the_lua_is_well_formed(self):
        self.assertEqual(program.run("new", "a", folder=self.folder).returncode, 0)
        # The test is no script of its own, but a file that Lua reads: what it lacks is `perilune test`.
        done = program.run("check", "proxy_test.lua", folder=self.folder / "a")
        self.assertRegex(done.stderr, r'^perilune: proxy_test.lua:5: unknown name "beforeEach"')
        if shutil.which("luacheck"):
            config = str(program.ROOT / ".luacheckrc")
            done = subprocess.run(["luacheck", "-q", "--config", config, "a"], cwd=self.folder, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_editor_finds_the_declarations(self):
        program.run("new", "a", folder=self.folder)
        settings = json.loads((self.folder / "a" / ".luarc.json").read_text(encoding="utf-8"))
        (library,) = settings["workspace.library"]
        self.assertTrue((pathlib.Path(library) / "pipeline.lua").is_file(), library)

    def test_an_installed_program_finds_the_installed_ones(self):
        prefix = self.folder / "usr"
        (prefix / "bin").mkdir(parents=True)
        shutil.copy(program.PROGRAM, prefix / "bin" / "perilune")
        shutil.copytree(program.ROOT / "lua" / "types", prefix / "share" / "perilune" / "types")

        def library():
            done = subprocess.run([prefix / "bin" / "perilune", "new", "a"], cwd=self.folder, capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0)
            settings = json.loads((self.folder / "a" / ".luarc.json").read_text(encoding="utf-8"))
            shutil.rmtree(self.folder / "a")
            return settings["workspace.library"], done.stderr

        self.assertEqual(library(), ([str(prefix.resolve() / "share/perilune/types")], ""))
        shutil.rmtree(prefix / "share")
        self.assertEqual(library(), ([""], "perilune: new: the declarations for editors are not installed; name their folder "
                                           "in .luarc.json\n"))

    def test_what_is_there_is_not_touched(self):
        (self.folder / "a").mkdir()
        (self.folder / "file").write_text("mine", encoding="utf-8")
        os.symlink("nowhere", self.folder / "link")
        for name in ("a", "a/", "file", "link", "."):
            done = program.run("new", name, folder=self.folder)
            self.assertEqual((done.returncode, done.stdout), (1, ""), name)
            self.assertEqual(done.stderr, f'perilune: new: "{name}" is there already; choose another name\n')
        self.assertEqual(os.listdir(self.folder / "a"), [])
        done = program.run("new", "none/a", folder=self.folder)
        self.assertEqual((done.returncode, done.stderr),
                         (1, 'perilune: new: cannot make "none/a": No such file or directory\n'))

    def test_it_needs_a_name(self):
        self.assertEqual(program.run("new", folder=self.folder).returncode, 2)


class CommandLine(unittest.TestCase):
    """What is wrong in a command line, and where more is said."""

    def refused(self, *words):
        done = program.run(*words, folder=program.temporary_folder(self))
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        return done.stderr

    def shown(self, *words):
        done = program.run(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_a_word_that_is_neither_command_nor_file(self):
        self.assertEqual(self.refused("chek", "a.lua"),
                         'perilune: there is no command and no file "chek"; did you mean check?\nSee perilune --help.\n')
        self.assertEqual(self.refused("a.lua"), 'perilune: there is no file "a.lua"\nSee perilune run --help.\n')
        self.assertEqual(self.refused("check", "a.lua"), 'perilune: there is no file "a.lua"\nSee perilune check --help.\n')
        self.assertEqual(self.refused("graph", "."),
                         'perilune: "." is a folder; name the script in it\nSee perilune graph --help.\n')

    def test_the_command_comes_first(self):
        self.assertEqual(self.refused("--workers", "1", "check", "a.lua"),
                         "perilune: the command comes first: perilune check --workers …\nSee perilune --help.\n")

    def test_an_option_of_another_command(self):
        self.assertEqual(self.refused("check", "--format", "svg", "a.lua"),
                         "perilune: check has no option --format; graph and test have it\nSee perilune check --help.\n")
        self.assertEqual(self.refused("check", "--strickt", "a.lua"),
                         "perilune: check has no option --strickt; did you mean --strict?\nSee perilune check --help.\n")

    def test_help(self):
        every = self.shown("help")
        self.assertEqual(every, self.shown("--help"))
        for command in ("run", "check", "graph", "test", "new", "reload", "status", "stop"):
            self.assertIn(f"\n  {command} ", every)
        self.assertNotIn("--workers", every)
        self.assertIn("--workers", self.shown("help", "run"))
        self.assertEqual(self.shown("help", "run"), self.shown("run", "--help"))

    def test_version(self):
        version = self.shown("--version")
        self.assertRegex(version, r"^perilune \d+\.\d+")
        for words in (["version"], ["-v"], ["run", "--version"], ["check", "--version"]):
            self.assertEqual(self.shown(*words), version)

    def test_an_admin_address_as_a_url(self):
        self.assertEqual(self.refused("status", "--admin", "http://127.0.0.1:9901"),
                         "perilune: --admin: an address has no scheme; write --admin 127.0.0.1:9901\n"
                         "See perilune status --help.\n")


class Check(unittest.TestCase):
    ODD = f'listen(1):serveHTTP({RESPONSE})\npipeline("a"):replaceMessage({RESPONSE})\n'

    def check(self, *words):
        folder = program.temporary_folder(self)
        (folder / "proxy.lua").write_text(self.ODD, encoding="utf-8")
        return program.run("check", *words, "proxy.lua", folder=folder)

    def test_a_warning_is_told_and_fails_when_asked_to(self):
        said = 'perilune: proxy.lua:2: warning: pipeline "a" is never used: nothing leads to it\n'
        done = self.check()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok: 1 file, 1 listener, 1 warning\n", said))
        done = self.check("--strict")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "not ok: 1 file, 1 listener, 1 warning\n", said))

    def test_modules_are_looked_at_too(self):
        folder = program.temporary_folder(self)
        (folder / "mine.lua").write_text("\nreturn function(ctx) return ctx.usr end", encoding="utf-8")
        (folder / "proxy.lua").write_text(
            'local name = require "mine"\n'
            "listen(1):handleSessionStart(function(ctx) ctx.user = 1 name(ctx) end)\n"
            f"  :serveHTTP({RESPONSE})", encoding="utf-8")
        done = program.run("check", "proxy.lua", folder=folder)
        self.assertEqual((done.returncode, done.stderr),
                         (0, 'perilune: mine.lua:2: warning: ctx.usr is read here and written nowhere; did you mean "user"?\n'))

    def test_our_own_scripts_have_none(self):
        scripts = {str(path.relative_to(program.ROOT)): path.read_text(encoding="utf-8")
                   for folder in ("tutorial", "scripts", "tests/bench/scripts", "tests/soak/scripts")
                   for path in sorted((program.ROOT / folder).rglob("*.lua")) if not path.name.endswith("test.lua")}
        scripts |= {f"recipe {number}": text for number, (_, text) in enumerate(recipes.recipes())}
        self.assertGreaterEqual(len(scripts), 15)
        for name, text in scripts.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "proxy.lua").write_text(text, encoding="utf-8")
                done = program.run("check", "proxy.lua", folder=folder)
                self.assertNotIn("warning", done.stderr)


if __name__ == "__main__":
    unittest.main()
