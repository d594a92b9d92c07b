"""The demo ends with success, tells what happened, and leaves nothing running."""

import os
import subprocess
import unittest
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".build" / "python" / "bin" / "python"


def processes_with(mark):
    """Every process that has the mark in its environment, whatever group or session it put itself into."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder.name, (folder / "cmdline").read_bytes()))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


class Demo(unittest.TestCase):
    def test_it_succeeds_and_leaves_nothing_running(self):
        mark = f"demo-{uuid.uuid4()}"
        done = subprocess.run(
            [PYTHON, ROOT / "tests" / "demo" / "demo.py"],
            env=os.environ | {"ROLLKEEPER_DEMO_MARK": mark},
            start_new_session=True,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("from the leaver event to confirmed deactivation", done.stdout)
        self.assertEqual(done.stdout.count("wanted: "), 2, "two people are explained")
        self.assertEqual(processes_with(mark), [])

    def test_a_process_that_is_left_is_seen(self):
        mark = f"demo-{uuid.uuid4()}"
        left = subprocess.Popen(["sleep", "60"], env=os.environ | {"MARK": mark}, start_new_session=True)
        try:
            self.assertEqual([int(process) for process, _ in processes_with(mark)], [left.pid])
        finally:
            left.kill()
            left.wait()


if __name__ == "__main__":
    unittest.main()
