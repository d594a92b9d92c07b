"""A target that survives its clients and refuses no duplicate: one JSON line asked, one answered.

    target.py [--slow]        prints its port in one line and serves until its standard input is closed

Asked: {"do": "create", "attributes": {…}} · {"do": "find", "attribute": …, "value": …} · {"do": "read", "id": …} ·
{"do": "change", "id": …, "attributes": {…}} · {"do": "set_active", "id": …, "active": …} · {"do": "all"} ·
{"do": "list", "from": n, "size": n} · {"do": "begin", "accounts": […]} · {"do": "received"}
Answered: {"accounts": [{"id", "active", "attributes", "writes"}, …], "pages": [n, …]}

`writes` are the writes that reached an account, `pages` are the places from which pages were read; `begin` has all
accounts be these, and forgets both.

A write may say which `life` of the host sent it, when it was `sent` (microseconds since 1970), and with which `key`.
Each of them is kept, and `received` gives them all: {"received": [{"life", "do", "key", "user", "done"}, …]}, where
`done` is when the write took effect, and left out where it never did.

With `--slow` such a write takes effect after a while, whether or not its sender still lives, and is answered after
another. The target promises that it takes effect within `LIFE` of being sent or never, since it drops what is older,
and that `find` shows a new account `VISIBLE` later at most.
"""

import itertools
import json
import random
import socketserver
import sys
import threading
import time
from collections import defaultdict

LIFE = 0.05
VISIBLE = 0.02
# How long a write is on its way: mostly not long, now and then nearly as long as it lives.
USUAL_DELAY = 0.003
RARELY = 0.2


class TooLate(Exception):
    """A request that is older than it may become."""


class Accounts:
    """Every account ever made, and every write that was received."""

    def __init__(self):
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._received = []
        self._begin([])

    def receive(self, asked):
        """Keeps a write of a host's life before anything is done about it."""
        write = {name: asked[name] for name in ("life", "do", "key") if name in asked}
        with self._lock:
            self._received.append(write)
        return write

    def answer(self, asked, write=None, lag=0.0):
        """The answer to a question, after what it asked for was done. A new account is hidden from `find` for `lag`."""
        with self._lock:
            if asked["do"] == "received":
                return {"received": self._received}
            now = time.time()
            if write is not None:
                if now - asked["sent"] / 1e6 > LIFE:
                    raise TooLate
                write["done"] = now
            accounts = self._answer(asked, now + lag)
            if write is not None and accounts:
                write["user"] = accounts[0]["attributes"].get("externalId")
            return {"accounts": accounts, "pages": self._pages}

    def _begin(self, accounts):
        self._accounts = {}
        self._holders = defaultdict(dict)
        self._shown_from = {}
        self._pages = []
        for account in accounts:
            self._put(account | {"writes": []}, 0.0)

    def _put(self, account, shown_from):
        self._accounts[account["id"]] = account
        self._shown_from[account["id"]] = shown_from
        self._note(account)

    def _note(self, account):
        """Who holds which value; one that is held no more stays and is passed over by `_find`."""
        for attribute, value in account["attributes"].items():
            self._holders[attribute, json.dumps(value)][account["id"]] = account

    def _find(self, attribute, value):
        holders = self._holders.get((attribute, json.dumps(value)), {})
        now = time.time()
        shown = [one for one in holders.values() if self._shown_from[one["id"]] <= now]
        return [one for one in shown if one["attributes"].get(attribute) == value]

    def _answer(self, asked, shown_from):
        match asked:
            case {"do": "create", "attributes": attributes}:
                number = str(next(self._numbers))
                account = {"id": number, "active": True, "attributes": attributes, "writes": ["create"]}
                self._put(account, shown_from)
                return [account]
            case {"do": "find", "attribute": attribute, "value": value}:
                return self._find(attribute, value)
            case {"do": "all"}:
                return list(self._accounts.values())
            case {"do": "list", "from": start, "size": size}:
                self._pages.append(start)
                return list(self._accounts.values())[start : start + size]
            case {"do": "begin", "accounts": accounts}:
                self._begin(accounts)
                return []
        account = self._accounts.get(asked["id"])
        if account is not None:
            match asked:
                case {"do": "change", "attributes": attributes}:
                    account["attributes"] |= attributes
                    account["writes"].append("change")
                    self._note(account)
                case {"do": "set_active", "active": active}:
                    account["active"] = active
                    account["writes"].append("activate" if active else "deactivate")
        return [account] if account else []


class Handler(socketserver.StreamRequestHandler):
    """One connection. A client may be killed in the middle of it: what arrived whole is done, the rest is not."""

    def handle(self):
        for line in self.rfile:
            if line.endswith(b"\n"):
                try:
                    answer = self._answer(json.loads(line))
                    self.wfile.write(json.dumps(answer).encode() + b"\n")
                except (OSError, TooLate):  # nobody is there to read it any more, or there is nothing to say
                    return

    def _answer(self, asked):
        if "life" not in asked:
            return self.server.accounts.answer(asked)
        write = self.server.accounts.receive(asked)
        self._delay(LIFE if random.random() < RARELY else USUAL_DELAY)
        lag = random.uniform(0.0, VISIBLE) if self.server.slow else 0.0
        answer = self.server.accounts.answer(asked, write, lag)
        self._delay(USUAL_DELAY)
        return answer

    def _delay(self, longest):
        if self.server.slow:
            time.sleep(random.uniform(0.0, longest))


class Server(socketserver.ThreadingTCPServer):
    """The target's server."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, slow):
        super().__init__(("127.0.0.1", 0), Handler)
        self.slow = slow
        self.accounts = Accounts()

    def handle_error(self, request, client_address):
        """A killed client resets its connection; that is what this is about, and no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    server = Server("--slow" in sys.argv[1:])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
