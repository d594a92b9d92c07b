"""Starts real SCIM servers (scim2-server, django-scim2, Canaille, Keycloak) on loopback, each a process group that ends with its parent.

From Python:    with ScimServer(token) as server: … server.base_url …
From elsewhere: .build/servers/bin/python tests/servers/scim_server.py
                prints {"base_url": …, "token": …} in one line and serves until its standard input is closed;
                of Canaille and Keycloak also where its authorization server is, and as whom to ask it: "token_url",
                "client", "secret".
"""

import argparse
import atexit
import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE))

import keycloak  # noqa: E402
from relay import Relay, listen_on, reserve_port  # noqa: E402

_BUILD = _HERE.parent.parent / ".build"
BIN = _BUILD / "servers" / "bin"
START_LIMIT = 60.0
# Java reads much before it answers, and on a busy machine that takes minutes.
KEYCLOAK_START_LIMIT = 600.0
STOP_LIMIT = 10.0
CLIENT = "rollkeeper"


class ScimServer:
    """One tenant of a server with its data in memory, or in a folder that goes with it.

    `command`: scim2-server under `gunicorn` (HTTP/1.1, connections kept alive) or by its `own` command (HTTP/1.0);
    `django` for django-scim2 under gunicorn; `canaille` for Canaille and `keycloak` for Keycloak (`keycloak.sh` installs
    it), which take tokens of their own authorization servers alone: `token` is one of them once it has been started,
    `secret` is what they are asked for with.
    `paging`: `index`, or `cursor` for RFC 9865 as well.
    `relay`: put a door in front, so that `down` and `up` work; `base_url` then leads through it and `direct_url` does
    not.
    """

    def __init__(self, token=None, *, command="gunicorn", paging="index", relay=False):
        if command != "gunicorn" and paging != "index":
            raise ValueError("cursor paging needs the command `gunicorn`")
        self.secret = self.token = token or secrets.token_hex(24)
        self._command, self._paging = command, paging
        paths = {"canaille": "/scim/v2", "keycloak": f"/realms/{keycloak.REALM}/scim/v2"}
        self._path = paths.get(command, "/v2")
        self._reservation = reserve_port()
        self._port = self._reservation.getsockname()[1]
        self._relay = Relay(self._port) if relay else None
        self._process = None
        self._log = tempfile.TemporaryFile(prefix="scim-server-")
        self._folder = None
        atexit.register(self.close)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def direct_url(self):
        """The base URL of the server itself."""
        return f"http://127.0.0.1:{self._port}{self._path}"

    @property
    def base_url(self):
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._relay.port}{self._path}" if self._relay else self.direct_url

    @property
    def token_url(self):
        """Where Canaille and Keycloak give tokens; `None` for the others, which take one token for ever."""
        if self._command == "keycloak":
            return keycloak.token_url(self._port)
        return f"http://127.0.0.1:{self._port}/oauth/token" if self._command == "canaille" else None

    @property
    def process_group(self):
        """The process group while it runs, for a check that nothing was left."""
        return self._process.pid if self._process else None

    def start(self):
        """Starts the server, empty, on its port, and returns when it answers."""
        if self._process is not None:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="scim-server-")
        environment = {
            **os.environ,
            "SCIM_TOKEN": self.secret,
            "SCIM_PAGING": self._paging,
            "SCIM_PORT": str(self._port),
            "SCIM_FOLDER": self._folder.name,
            **(keycloak.environment(self.secret) if self._command == "keycloak" else {}),
        }
        with contextlib.ExitStack() as stack:
            if self._command not in ("own", "keycloak"):
                listener = stack.enter_context(listen_on(self._port))
                descriptors, command = (listener.fileno(),), self._gunicorn(listener.fileno())
            else:
                # These bind by themselves and would not share the port with a reservation.
                self._reservation.close()
                descriptors = ()
                command = self._own() if self._command == "own" else keycloak.command(_BUILD / "keycloak", self._port)
            self._process = subprocess.Popen(
                [sys.executable, str(_HERE / "serve.py"), str(os.getpid()), *command],
                pass_fds=descriptors,
                env=environment,
                cwd=_HERE,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Ends the whole process group; the data are gone. Does nothing where it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            limit = time.monotonic() + STOP_LIMIT
            while time.monotonic() < limit:
                process.poll()
                if not _group_lives(process.pid):
                    process.wait()
                    self._folder.cleanup()
                    return
                time.sleep(0.01)
        raise RuntimeError(f"process group {process.pid} does not end")

    def restart(self):
        """Stops and starts again on the same port, without the data."""
        self.stop()
        self.start()

    def down(self):
        """Refuses every connection from now on and cuts open ones; the data are kept."""
        self._door().shut()

    def up(self):
        """Ends `down`."""
        self._door().open()

    def close(self):
        """Stops for good and gives the ports back."""
        atexit.unregister(self.close)
        self.stop()
        self._reservation.close()
        if self._relay:
            self._relay.close()
        self._log.close()

    def _door(self):
        if self._relay is None:
            raise RuntimeError("start the server with `relay=True` to take it down")
        return self._relay

    def _gunicorn(self, descriptor):
        folder, application = {
            "gunicorn": ("servers", "application:app"),
            "django": ("django", "django_target.application:app"),
            "canaille": ("canaille", "canaille_target.application:app"),
        }[self._command]
        return [
            *(str(_BUILD / folder / "bin" / "python"), "-m", "gunicorn", "--bind", f"fd://{descriptor}"),
            *("--workers", "1", "--threads", "8", "--keep-alive", "60", "--graceful-timeout", "1"),
            *("--no-control-socket", "--log-level", "warning", application),
        ]

    def _own(self):
        # Its own command takes the token as an argument only. These tokens are made for one run on loopback.
        arguments = ("--hostname", "127.0.0.1", "--port", str(self._port), "--bearer-token", self.token)
        return [str(BIN / "python"), str(BIN / "scim2-server"), *arguments]

    def _wait_until_it_answers(self):
        if self.token_url:
            # What it answers is the first token: nothing of SCIM is answered without.
            credentials = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
            request = urllib.request.Request(
                self.token_url, b"grant_type=client_credentials", {"Authorization": f"Basic {credentials}"}
            )
        else:
            request = urllib.request.Request(
                f"{self.direct_url}/ServiceProviderConfig", headers={"Authorization": f"Bearer {self.token}"}
            )
        is_keycloak = self._command == "keycloak"
        limit = time.monotonic() + (KEYCLOAK_START_LIMIT if is_keycloak else START_LIMIT)
        while time.monotonic() < limit:
            if self._process.poll() is not None:
                raise RuntimeError(f"the SCIM server ended: {self._said()}")
            try:
                if is_keycloak:
                    keycloak.make_realm(self._port, CLIENT, self.secret)
                    is_keycloak = False
                # A listening socket is open before the server is, so this waits in the kernel's queue, not in a loop.
                with urllib.request.urlopen(request, timeout=5.0) as answer:
                    if self.token_url:
                        self.token = json.load(answer)["access_token"]
                    return
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"the SCIM server answers {error.code}: {self._said()}") from error
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the SCIM server does not answer: {self._said()}")

    def _said(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", choices=["gunicorn", "own", "django", "canaille", "keycloak"], default="gunicorn")
    parser.add_argument("--paging", choices=["index", "cursor"], default="index")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    token = os.environ.get("SCIM_TOKEN")
    with ScimServer(token, command=arguments.command, paging=arguments.paging) as server:
        told = {"base_url": server.base_url, "token": server.token}
        if server.token_url:
            told |= {"token_url": server.token_url, "client": CLIENT, "secret": server.secret}
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
