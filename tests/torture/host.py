"""The host of the torture in Python: opens the file, puts users, runs and is killed, as `life.py` says."""

import json
import os
import signal
import socket
import sys
import threading
import time
from datetime import timedelta

import rollkeeper


class Target(rollkeeper.Connector):
    """The connector over the target's line protocol, with the boundaries at which the host dies."""

    def __init__(self, port, die, life=None):
        super().__init__()
        self._port = port
        self._die = die or {"at": None, "call": 0}
        self._life = life
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
        question = {"do": "create", "attributes": attributes, "key": idempotency_key}
        return account_of(self.ask(self._signed(question), boundary)[0])

    def update(self, external_id, changes, version):
        attributes = {change["path"]: change.get("value") for change in changes}
        return self._must_exist({"do": "change", "id": external_id, "attributes": attributes})

    def activate(self, external_id):
        self._must_exist(self._signed({"do": "set_active", "id": external_id, "active": True}))

    def deactivate(self, external_id):
        self._must_exist(self._signed({"do": "set_active", "id": external_id, "active": False}))

    def ask(self, question, boundary=None):
        """The accounts that the target answers with. Dies at the boundary, where one is given."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            die_if(boundary == "before_send")
            connection.sendall(json.dumps(question).encode() + b"\n")
            die_if(boundary == "on_its_way")
            with connection.makefile("rb") as answers:
                if boundary == "after_send":
                    connection.recv(1, socket.MSG_PEEK)  # it has done it; we have not read what it says
                    die_if(True)
                answer = answers.readline()
        if not answer:
            raise ConnectionError("the target did not answer")
        die_if(boundary == "before_settle")
        return json.loads(answer)["accounts"]

    def _signed(self, question):
        """A write with the life that sends it and the time; the target drops it once it is too old."""
        return question if self._life is None else question | {"life": self._life, "sent": time.time_ns() // 1000}

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


def main():
    state, port = sys.argv[1], int(sys.argv[2])
    story = json.loads(sys.stdin.readline())
    with rollkeeper.Engine.open(state, look_up=story["look_up"]) as engine:
        engine.register_connector("target", Target(port, story["die"], story["life"]))
        engine.put_app(story["app"])
        say(opened=[one.to_dict() for one in engine.requests(state="Requested")])
        if story["users"]:
            say(acknowledged=engine.put_users(story["users"]).to_dict())
        if story["finish"]:
            engine.run(workers=2, timeout=timedelta(seconds=story["finish"]))
            say(finished=[one.to_dict() for one in engine.requests()], log=engine.verify_log().to_dict())
            return
        engine.run(workers=2)
        say(idle=True)
        sys.stdin.readline()  # nothing left to do: waits here to be killed


if __name__ == "__main__":
    main()
