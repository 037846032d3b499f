"""The drawing in each lesson is the drawing of its script.

Run with --write to draw them anew: PERILUNE=build/dev/perilune tests/docs/graphs.py --write
"""

import sys
import unittest
import xml.etree.ElementTree

import program

LESSONS = sorted(path.parent for path in program.ROOT.glob("tutorial/*/main.lua"))
SVG = "{http://www.w3.org/2000/svg}"


def drawing_of(script):
    done = program.run("graph", "--format", "svg", str(script))
    assert done.returncode == 0, done.stderr
    return done.stdout


class Graphs(unittest.TestCase):
    def test_each_lesson_shows_its_own(self):
        self.assertTrue(LESSONS)
        for lesson in LESSONS:
            with self.subTest(lesson.name):
                drawn = (lesson / "graph.svg").read_text(encoding="utf-8")
                self.assertEqual(drawn, drawing_of(lesson / "main.lua"), "draw it anew: tests/docs/graphs.py --write")
                self.assertIn("(graph.svg)", (lesson / "README.md").read_text(encoding="utf-8"))


class Drawing(unittest.TestCase):
    """What a drawing says, by its elements."""

    def drawn(self, script):
        folder = program.temporary_folder(self)
        (folder / "proxy.lua").write_text(script, encoding="utf-8")
        return xml.etree.ElementTree.fromstring(drawing_of(folder / "proxy.lua"))

    def texts(self, svg, kind=None):
        return [text.text for text in svg.iter(f"{SVG}text") if kind is None or text.get("class") == kind]

    def joints(self, svg):
        return [path.get("class") for path in svg.iter(f"{SVG}path") if path.get("class", "").startswith("joint")]

    def boxes(self, svg):
        return [tuple(int(box.get(name)) for name in ("x", "y", "width", "height")) for box in svg.iter(f"{SVG}rect")]

    def test_boxes_filters_and_joints(self):
        svg = self.drawn(
            'listen(8000):demuxHTTP("a")\n'
            'pipeline("a"):handleMessageStart(function() end):route(function() return "b" end):dump()\n'
            'pipeline("b"):muxHTTP(pipeline():connect("127.0.0.1:1"))\n'
            'pipeline("<c>"):replaceMessage(Message "x")\n'
        )
        self.assertEqual(self.texts(svg, "title"), ["listen 0.0.0.0:8000", "a", "b", "line 3", "<c>"])
        self.assertEqual(self.texts(svg, "answers"), ["demuxHTTP", "route", "muxHTTP", "connect", "replaceMessage"])
        # The function of the route may choose what nothing else leads to.
        self.assertEqual(self.joints(svg), ["joint", "joint maybe", "joint maybe", "joint"])

    def test_boxes_lie_apart_and_within(self):
        names = [f"p{i}" for i in range(12)]
        script = 'listen(8000):demuxHTTP("p0")\nlisten(8001):serveHTTP(Message "x")\n' + "".join(
            f'pipeline("{name}"):route(function() end, {{ "p0", "p{(i + 1) % 12}", "p{(i * 5 + 3) % 12}" }})\n'
            for i, name in enumerate(names)
        )
        svg = self.drawn(script)
        _, _, width, height = map(int, svg.get("viewBox").split())
        boxes = self.boxes(svg)
        self.assertGreaterEqual(len(boxes), 14)
        for i, (x, y, w, h) in enumerate(boxes):
            self.assertTrue(0 <= x and 0 <= y and x + w <= width and y + h <= height)
            for x2, y2, w2, h2 in boxes[:i]:
                self.assertTrue(x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "two boxes overlap")

    def test_pipelines_of_other_files_say_which(self):
        folder = program.temporary_folder(self)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "a.lua").write_text("\nreturn pipeline():next()", encoding="utf-8")
        (folder / "proxy.lua").write_text(
            'listen(8000):demuxHTTP(pipeline():use({ "plugins.a" }, "end"))\npipeline("end"):replaceMessage(Message "x")',
            encoding="utf-8")
        for where, script in ((folder, "proxy.lua"), (program.ROOT, str(folder / "proxy.lua"))):
            done = program.run("graph", "--format", "svg", script, folder=where)
            titles = self.texts(xml.etree.ElementTree.fromstring(done.stdout), "title")
            self.assertEqual(titles, ["listen 0.0.0.0:8000", "line 1", "plugins/a.lua, line 2", "end"])

    def test_several_scripts_are_one_drawing(self):
        folder = program.temporary_folder(self)
        for name, port in (("a", 8000), ("b", 8001)):
            (folder / f"{name}.lua").write_text(f'listen({port}):serveHTTP(Message "x")', encoding="utf-8")
        done = program.run("graph", "--format", "svg", "a.lua", "b.lua", folder=folder)
        titles = self.texts(xml.etree.ElementTree.fromstring(done.stdout), "title")
        self.assertEqual([title for title in titles if title.startswith("listen")], ["listen 0.0.0.0:8000", "listen 0.0.0.0:8001"])


if __name__ == "__main__":
    if "--write" in sys.argv:
        for folder in LESSONS:
            (folder / "graph.svg").write_text(drawing_of(folder / "main.lua"), encoding="utf-8")
    else:
        unittest.main()
