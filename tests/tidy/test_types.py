"""types_match finds each kind of difference: the real tree passes, and fails after each change made here."""

import pathlib
import shutil
import tempfile
import unittest

import engine_facts
import types_match

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class TypesMatch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for part in ("engine", "lua"):
            shutil.copytree(ROOT / part, self.root / part)

    def change(self, path, old, new):
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        self.assertIn(old, text, path)
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def expect(self, *parts):
        findings = types_match.check(str(self.root))[0]
        self.assertTrue(any(all(part in finding for part in parts) for finding in findings), findings)

    def test_each_difference_is_found(self):
        pipeline, registry = "lua/types/pipeline.lua", "engine/filter/registry.cpp"
        cases = [
            (registry, 'FilterSpec{"dump",', 'FilterSpec{"dmup",', ["filter: dmup is not declared"]),
            (pipeline, "function P:timeout(time)", "function P:tiemout(time)", ["filter: tiemout is declared"]),
            (registry, 'OptionSpec{"queue",', 'OptionSpec{"line",', ["muxHTTP: option: line is not declared"]),
            (pipeline, "---@field queue? ", "---@field row? ", ["muxHTTP: option: row is declared"]),
            (registry, 'OptionSpec{"backlog",', 'OptionSpec{"log",', ["listen: option: log is not declared"]),
            ("engine/filter/cluster_settings.cpp", 'OptionSpec{"ttl",', 'OptionSpec{"life",',
             ["upstream: option: life is not declared"]),
            ("engine/filter/cluster_parts.hpp", 'OptionSpec{"fall",', 'OptionSpec{"drop",',
             ["HealthOptions: field: drop is not declared"]),
            ("lua/types/upstream.lua", "idle ones of a worker; default 256", "idle ones of a worker; default 255",
             ["upstream: the default of maxIdle is 256"]),
            ("lua/upstream.lua", "function Upstream:explain(", "function Upstream:tell(", ["Cluster:tell is not declared"]),
            (pipeline, "---@param tag? ", "---@param tag ", ["dump: the engine takes", "declares [('tag', True)]"]),
            (pipeline, "P:connect(target,", "P:connect(to,", ["@param target is not among the arguments"]),
            (pipeline, "connectTimeout? Time default 5 s", "connectTimeout? Time default 6 s",
             ["connect: the default of connectTimeout is 5 s"]),
            ("engine/base/limits.hpp", "queue_timeout = 5s;", "queue_timeout = 7s;",
             ["muxHTTP: the default of queueTimeout is 7 s"]),
            ("engine/script/bind_json.cpp", '"encode(value)"', '"encode(what)"',
             ["json.encode: the engine takes ['what']"]),
            ("lua/pool.lua", "function Pool:uses(", "function Pool:used(", ["ResourcePool:used is not declared"]),
            ("lua/types/algo.lua", "function C:find(", "function C:peek(", ["Cache:peek is declared"]),
            ("lua/types/message.lua", "---@field bodySize ", "---@field size ", ["Message: field: size is declared"]),
            ("lua/context.lua", "  elapsed = ", "  lasted = ", ["Context: field: lasted is not declared"]),
            ("engine/filter/cluster_settings.cpp", "least-requests|random", "least-busy|random", ["UpstreamOptions: balance may be"]),
            (registry, '"common|combined|json"', '"common|json"', ["AccessLog: format may be ['common', 'json']"]),
            ("engine/algo/pool_types.cpp", '"uses-spent"', '"used-up"', ["EvictReason: used-up is not declared"]),
            ("engine/upstream/cluster.cpp", '"unexpected-data"', '"noise"', ["EvictReason: noise is not declared"]),
            ("engine/script/bind_upstream.cpp", '"timedOut"', '"tooSlow"', ["ClusterConnections: field: tooSlow is not declared"]),
            ("engine/script/bind_upstream.cpp", '"reuse"', '"reused"', ["EndpointStats: field: reuse is declared"]),
            ("engine/script/bind_pool.cpp", '{"queueFull"', '{"full"', ["ResourcePoolStats: field: full is not declared"]),
            ("engine/script/binding.cpp", 'set_text(L, "side"', 'set_text(L, "where"', ["Error: field: where is not declared"]),
            ("lua/types/library.lua", "--- Waits; other sessions run meanwhile.\n", "", ["a public function needs a sentence"]),
        ]
        for path, old, new, parts in cases:
            with self.subTest(path=path, new=new):
                before = (self.root / path).read_text(encoding="utf-8")
                self.change(path, old, new)
                self.expect(*parts)
                (self.root / path).write_text(before, encoding="utf-8")
        self.assertEqual(types_match.check(str(self.root))[0], [])

    def test_a_table_in_another_form_is_an_error_not_silence(self):
        readers = {
            "engine/filter/registry.cpp": (engine_facts.filters, engine_facts.listen_options),
            "engine/base/limits.hpp": (engine_facts.limits,),
            "engine/base/error.cpp": (engine_facts.errors,),
        }
        for path, functions in readers.items():
            (self.root / path).write_text("// moved\n", encoding="utf-8")
            for read in functions:
                with self.subTest(read.__name__), self.assertRaises(engine_facts.Unreadable):
                    read(str(self.root))


if __name__ == "__main__":
    unittest.main()
