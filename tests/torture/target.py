"""A target that survives its clients and refuses no duplicate: one JSON line asked, one answered.

    target.py        prints its port in one line and serves until its standard input is closed

Asked: {"do": "create", "attributes": {…}} · {"do": "find", "attribute": …, "value": …} · {"do": "read", "id": …} ·
{"do": "change", "id": …, "attributes": {…}} · {"do": "set_active", "id": …, "active": …} · {"do": "all"} ·
{"do": "list", "from": n, "size": n} · {"do": "begin", "accounts": […]}
Answered: {"accounts": [{"id", "active", "attributes", "writes"}, …], "pages": [n, …]}

`writes` are the writes that reached an account, `pages` are the places from which pages were read; `begin` has all
accounts be these, and forgets both.
"""

import itertools
import json
import socketserver
import sys
import threading


class Accounts:
    """Every account ever made."""

    def __init__(self):
        self._lock = threading.Lock()
        self._accounts = {}
        self._numbers = itertools.count(1)
        self._pages = []

    def answer(self, asked):
        """The accounts that a question is about, after what it asked for was done, and the pages that were read."""
        with self._lock:
            return {"accounts": self._answer(asked), "pages": self._pages}

    def _answer(self, asked):
        match asked:
            case {"do": "create", "attributes": attributes}:
                number = str(next(self._numbers))
                account = {"id": number, "active": True, "attributes": attributes, "writes": ["create"]}
                self._accounts[number] = account
                return [account]
            case {"do": "find", "attribute": attribute, "value": value}:
                return [one for one in self._accounts.values() if one["attributes"].get(attribute) == value]
            case {"do": "all"}:
                return list(self._accounts.values())
            case {"do": "list", "from": start, "size": size}:
                self._pages.append(start)
                return list(self._accounts.values())[start : start + size]
            case {"do": "begin", "accounts": accounts}:
                self._accounts = {account["id"]: account | {"writes": []} for account in accounts}
                self._pages = []
                return []
        account = self._accounts.get(asked["id"])
        if account is not None:
            match asked:
                case {"do": "change", "attributes": attributes}:
                    account["attributes"] |= attributes
                    account["writes"].append("change")
                case {"do": "set_active", "active": active}:
                    account["active"] = active
                    account["writes"].append("activate" if active else "deactivate")
        return [account] if account else []


class Handler(socketserver.StreamRequestHandler):
    """One connection. A client may be killed in the middle of it: what arrived whole is done, the rest is not."""

    def handle(self):
        for line in self.rfile:
            if line.endswith(b"\n"):
                answer = self.server.accounts.answer(json.loads(line))
                try:
                    self.wfile.write(json.dumps(answer).encode() + b"\n")
                except OSError:  # nobody is there to read it any more
                    return


class Server(socketserver.ThreadingTCPServer):
    """The target's server."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.accounts = Accounts()

    def handle_error(self, request, client_address):
        """A killed client resets its connection; that is what this is about, and no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
