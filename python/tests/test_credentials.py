"""Secrets in the database and the key of the file, from Python and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rollkeeper

from .test_command import Command, command

__all__ = ["command"]

OLD, NEW = b"\1" * 32, b"\2" * 32
APP: dict[str, Any] = {
    "id": "crm",
    "enabled": False,
    "connector": {
        "kind": "scim",
        "base_url": "https://crm.example.com/scim/v2",
        "auth": {"kind": "bearer", "token": {"sealed": "token"}, "expires_at": "2999-01-01T00:00:00Z"},
    },
}


def test_a_secret_is_stored_under_a_key_alone_and_the_key_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with rollkeeper.Engine.open(path) as engine:
        with pytest.raises(rollkeeper.CallerError, match="key") as refused:
            engine.set_secret("crm", "token", "planted-4c1d")
        assert refused.value.code == "key_required"
        engine.rotate_key(None, OLD, by="ann")
        engine.set_secret("crm", "token", "planted-4c1d", by="ann")
        engine.rotate_key(OLD, NEW)
        with pytest.raises(ValueError):
            engine.rotate_key(NEW, b"short")
    with pytest.raises(rollkeeper.StoreError) as closed:
        rollkeeper.Engine.open(path, key=OLD)
    assert closed.value.code == "key_missing"
    with rollkeeper.Engine.open(path, key=NEW) as engine:
        engine.put_app(APP)
        known = engine.credentials("crm")
        assert (known.kind, known.ready, known.expires_at is not None) == ("bearer", True, True)
        (secret,) = known.secrets
        assert (secret.field, secret.source, secret.name, secret.available) == ("token", "sealed", "token", True)
        assert secret.set_at is not None and "planted" not in repr(known)
        engine.set_secret("crm", "token", None)
        assert not engine.credentials("crm").ready
    assert all(b"planted-4c1d" not in file.read_bytes() for file in tmp_path.iterdir())


def test_secrets_and_keys_are_set_from_the_command_line(command: Command, tmp_path: Path) -> None:
    for name, key in (("old.key", OLD), ("new.key", NEW)):
        (tmp_path / name).write_bytes(key)
    with rollkeeper.Engine.open("state.db", key=OLD) as engine:
        engine.put_app(APP)
    sealed = ("--key-file", "old.key")
    assert command("credentials", "crm", *sealed).code == 1
    done = command("secret", "set", "crm", "token", *sealed, stdin="planted-4c1d\n")
    assert (done.code, done.out) == (0, "the secret token of crm is set\n")
    told = command("credentials", "crm", *sealed, "--json")
    assert told.code == 0 and told.documents[0]["secrets"][0]["available"]
    assert command("key", "rotate", "--new-key-file", "new.key", *sealed).code == 0
    assert command("credentials", "crm", *sealed).code == 3
    assert command("secret", "erase", "crm", "token", "--key-file", "new.key").code == 0
    assert command("credentials", "crm", "--key-file", "new.key").code == 1
