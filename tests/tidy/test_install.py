"""install-packages with a fake apt: silent when nothing is missing, and no service gets started."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "support" / "install-packages"
APT = """#!/bin/sh
case " $* " in *" install "*) verb=install ;; *) verb=update ;; esac
echo "$verb $(cat "$POLICY_RC_D" 2>/dev/null | tail -n 1): $*" >> "$FAKE/said"
case "$FAILING" in "$verb") exit 100 ;; interrupt-$verb) kill -INT $PPID; exit 0 ;; esac
"""


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.policy = self.folder / "policy-rc.d"
        self.fake("apt-get", APT)
        for name in ("systemctl", "deb-systemd-helper", "update-rc.d"):
            self.fake(name, "#!/bin/sh\n")
        self.fake("id", "#!/bin/sh\necho 0\n")
        self.missing()

    def fake(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def missing(self, *packages):
        """What the fake dpkg says is not installed."""
        cases = "".join(f"{name}) exit 1 ;; " for name in packages)
        self.fake("dpkg-query", f'#!/bin/sh\nfor last; do :; done\ncase "$last" in {cases}esac\necho installed\n')

    def run_script(self, *words, failing=""):
        environment = {
            "PATH": f"{self.folder}:/usr/bin:/bin", "POLICY_RC_D": str(self.policy),
            "FAKE": str(self.folder), "FAILING": failing,
        }
        return subprocess.run([SCRIPT, *words], env=environment, capture_output=True, text=True, check=False)

    def said(self):
        path = self.folder / "said"
        return path.read_text().splitlines() if path.exists() else []

    def test_nothing_missing_nothing_said_nothing_done(self):
        done = self.run_script("lint")
        self.assertEqual((done.returncode, done.stdout, done.stderr, self.said()), (0, "", "", []))

    def test_only_what_is_missing_is_installed_and_services_may_not_start(self):
        self.missing("wrk", "haproxy")
        done = self.run_script("test")
        self.assertEqual(done.returncode, 0, done.stderr)
        update, install = self.said()
        self.assertTrue(update.startswith("update exit 101"), update)
        self.assertTrue(install.startswith("install exit 101"), install)
        self.assertTrue(install.endswith("install -y --no-install-recommends haproxy wrk"), install)
        self.assertIn("haproxy wrk", done.stdout)
        self.assertFalse(self.policy.exists())

    def test_the_proxies_are_not_needed_for_a_build(self):
        self.missing("wrk", "haproxy")
        self.assertEqual(self.run_script("build").returncode, 0)
        self.assertEqual(self.said(), [])

    def test_a_policy_that_was_there_stays(self):
        self.policy.write_text("#!/bin/sh\nexit 0\n")
        self.missing("nginx-light")
        self.assertEqual(self.run_script("test").returncode, 0)
        self.assertEqual(self.policy.read_text(), "#!/bin/sh\nexit 0\n")

    def test_our_policy_goes_when_apt_fails_or_is_interrupted(self):
        self.missing("nginx-light")
        for failing in ("update", "install", "interrupt-install"):
            with self.subTest(failing):
                done = self.run_script("test", failing=failing)
                self.assertNotIn(done.returncode, (0, -signal.SIGINT))
                self.assertFalse(self.policy.exists())

    def test_a_dry_run_only_speaks(self):
        self.missing("cmake")
        done = self.run_script("build", "--dry-run")
        self.assertEqual((done.returncode, self.said()), (0, []))
        self.assertIn("cmake", done.stdout)

    def test_without_root_and_sudo_it_says_what_to_do(self):
        self.missing("cmake")
        self.fake("id", "#!/bin/sh\necho 1000\n")
        # A PATH with the fakes and the few tools that the script itself needs, so without sudo.
        for tool in ("sh", "env", "tail", "cat"):
            if not (self.folder / tool).exists():
                os.symlink(f"/bin/{tool}", self.folder / tool)
        done = subprocess.run(
            ["/bin/sh", SCRIPT, "build"], env={"PATH": str(self.folder)}, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends cmake", done.stderr)


if __name__ == "__main__":
    unittest.main()
