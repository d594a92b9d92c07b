"""A Python host that is killed: opens the file, puts users, runs. One JSON line in, JSON lines out.

    host.py STATE PORT < {"users": […], "die": {"at": boundary, "call": n} or null, "look_up": bool, "finish": bool}

Boundaries lie around the n-th create: `before_send` (the intent is durable, no byte has gone out), `after_send` (the
target has it, its answer is unread), `before_settle` (the answer is in hand, the engine has not heard it). There the
host kills itself with SIGKILL; at any other moment its parent does.
"""

import json
import os
import signal
import socket
import sys
import threading
import time

import rollkeeper

FINISH_LIMIT = 120.0
APP = {
    "id": "target",
    "connector": {"kind": "custom", "name": "target"},
    "assigned_to": {"profiles": ["Everyone"]},
    "mapping": [{"target": "userName", "source": "username", "required": True}],
    "matching": [{"all": [{"user": "username", "account": "userName"}]}],
    "retry": {"attempts": 100, "first": "PT0.05S", "cap": "PT0.2S"},
    "settle": {"life": "PT0.1S", "visible": "PT0.1S"},
}


class Target(rollkeeper.Connector):
    """The connector over the target's line protocol, with the boundaries at which the host dies."""

    def __init__(self, port, die):
        super().__init__()
        self._port = port
        self._die = die or {"at": None, "call": 0}
        self._creates = 0
        self._lock = threading.Lock()

    def capabilities(self):
        return {"search": True}

    def test(self):
        self.ask({"do": "all"})

    def find(self, attribute, value):
        return [account_of(one) for one in self.ask({"do": "find", "attribute": attribute, "value": value})]

    def read(self, external_id):
        found = self.ask({"do": "read", "id": external_id})
        return account_of(found[0]) if found else None

    def create(self, attributes, idempotency_key):
        with self._lock:
            self._creates += 1
            boundary = self._die["at"] if self._creates == self._die["call"] else None
        return account_of(self.ask({"do": "create", "attributes": attributes}, boundary)[0])

    def update(self, external_id, changes, version):
        attributes = {change["path"]: change.get("value") for change in changes}
        return self._must_exist({"do": "change", "id": external_id, "attributes": attributes})

    def activate(self, external_id):
        self._must_exist({"do": "set_active", "id": external_id, "active": True})

    def deactivate(self, external_id):
        self._must_exist({"do": "set_active", "id": external_id, "active": False})

    def ask(self, question, boundary=None):
        """The accounts that the target answers with. Dies at the boundary, where one is given."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            die_if(boundary == "before_send")
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as answers:
                if boundary == "after_send":
                    connection.recv(1, socket.MSG_PEEK)  # it has done it; we have not read what it says
                    die_if(True)
                answer = answers.readline()
        if not answer:
            raise ConnectionError("the target did not answer")
        die_if(boundary == "before_settle")
        return json.loads(answer)["accounts"]

    def _must_exist(self, question):
        found = self.ask(question)
        if not found:
            raise rollkeeper.ConnectorError("rejected", "account_missing", "there is no such account")
        return account_of(found[0])


def die_if(now):
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


def account_of(one):
    return {
        "external_id": one["id"],
        "username": one["attributes"].get("userName"),
        "active": one["active"],
        "attributes": one["attributes"],
    }


def say(**what):
    """One line for the parent."""
    print(json.dumps(what), flush=True)


def sent_and_not_settled(engine, target):
    """The creates that the target has done and the file does not know of."""
    requests = [one for one in engine.requests(state="Requested") if one.operation == "Create"]
    if not requests:
        return []
    there = {one["attributes"].get("externalId") for one in target.ask({"do": "all"})}
    return [str(one.id) for one in requests if one.user in there]


def finish(engine):
    """Runs until no request is open, though some wait for their settle window."""
    limit = time.monotonic() + FINISH_LIMIT
    while any(engine.requests(state="Requested", limit=1)) or any(engine.requests(state="New", limit=1)):
        if time.monotonic() > limit:
            break
        engine.run(workers=2)
        time.sleep(0.02)


def main():
    state, port = sys.argv[1], int(sys.argv[2])
    told = json.loads(sys.stdin.readline())
    target = Target(port, told["die"])
    with rollkeeper.Engine.open(state, look_up=told["look_up"]) as engine:
        engine.register_connector("target", target)
        engine.put_app(APP)
        say(opened=True, sent_and_not_settled=sent_and_not_settled(engine, target))
        if told["users"]:
            engine.put_users(told["users"])
            say(acknowledged=[user["id"] for user in told["users"]])
        if told["finish"]:
            finish(engine)
            engine.verify_log()
            say(finished=[[one.user, one.operation, one.state] for one in engine.requests()])
            return
        engine.run(workers=2)
        say(idle=True)
        sys.stdin.readline()  # nothing left to do: waits here to be killed


if __name__ == "__main__":
    main()
