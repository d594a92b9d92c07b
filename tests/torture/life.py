"""One life of a host: a process that works on the file with the engine and is killed. The same in every language.

A host is started with the path of the file and the port of the target. It is told one line of JSON:

    {"app": {…}, "users": […], "look_up": bool, "life": n, "finish": seconds,
     "die": {"at": boundary, "call": n} or null}

It opens the file, puts the app, and says a line of JSON after each step: `opened` with the open requests as they are
then, `acknowledged` with the result once the users are stored, `idle` when nothing is due any more. Then it waits. Where
`finish` is not 0 it works on until no request is open, or so long, and says `finished` with all requests and `log` with
the verdict about the log's chain.

`die` names a boundary around the n-th create, at which the host kills itself with SIGKILL: `before_send` (the intent is
durable, no byte has gone out), `on_its_way` (the last byte has gone out), `after_send` (the target has begun to answer,
nothing of it is read), `before_settle` (the answer is in hand, the engine has not heard it). At any other moment its
parent kills it. `life` goes with every write to the target, which tells by it who sent what.
"""

import json
import os
import select
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What starts the host of each language. Python's needs the wheel, the others are built by `build.sh`.
HOSTS = {
    "python": [ROOT / ".build/python/bin/python", HERE / "host.py"],
    "c": [ROOT / ".build/torture/host-c"],
    "go": [ROOT / ".build/torture/host-go"],
}
PATIENCE = 180.0


class TortureFailed(Exception):
    """A promise was broken, or the harness itself could not do its work."""


class Host:
    """One life of the host process."""

    def __init__(self, command, state, port, **told):
        self._process = subprocess.Popen(
            [*command, str(state), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._cut = b""
        self.said = {}

    def listen(self, *, until=None, seconds=PATIENCE):
        """Reads what it says until it says `until`, ends, or the time is over."""
        limit = time.monotonic() + seconds
        while until is None or until not in self.said:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, limit - time.monotonic()))
            text = os.read(self._process.stdout.fileno(), 1 << 16) if readable else b""
            if not text:
                return
            # The last line may be cut by the kill; then nobody has said it.
            *lines, self._cut = (self._cut + text).split(b"\n")
            for line in lines:
                self.said |= json.loads(line)

    def kill(self):
        """Kills it where it has not died by itself, reads its last words and gives its exit code."""
        self._process.kill()
        code = self._process.wait()
        self.listen(seconds=1.0)
        self._process.stdout.close()
        self._process.stdin.close()
        return code

    def wait(self):
        """Waits for its own end."""
        return self._process.wait(timeout=PATIENCE)


def ask(port, question):
    """What the target answers, asked by ourselves."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rwb") as lines:
        lines.write(json.dumps(question).encode() + b"\n")
        lines.flush()
        return json.loads(lines.readline())


def ask_all(port):
    """Every account of the target."""
    return ask(port, {"do": "all"})["accounts"]
