"""A host's own HTTP client in Python: the exchanges of ``tests/data/transport/scenario.json``, and what its failures mean."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import rollkeeper
from rollkeeper import HttpRequest, HttpResponse, TransportError
from rollkeeper.testing import VirtualClock

SCENARIO = json.loads((Path(__file__).parents[2] / "tests/data/transport/scenario.json").read_text(encoding="utf-8"))


class Playing:
    """Plays the exchanges, and notes what was not as they say."""

    def __init__(self) -> None:
        self.left = list(SCENARIO["exchanges"])
        self.wrong: list[object] = []

    def __call__(self, request: HttpRequest) -> HttpResponse:
        exchange: dict[str, Any] = self.left.pop(0) if self.left else {}
        body = None if request.body is None else json.loads(request.body)
        asked = {"method": request.method, "url": request.url, "body": body}
        same = all(exchange.get(key) == value for key, value in asked.items())
        if not same or request.headers["authorization"] != "Bearer t0ken" or request.timeout != 30.0:
            self.wrong.append(asked)
        assert "t0ken" not in repr(request) and "ada" not in repr(request)
        if "failure" in exchange:
            failure = exchange["failure"]
            raise TransportError(failure["code"], "as the scenario says", sent=failure["sent"])
        answer = exchange["answer"]
        return HttpResponse(answer["status"], answer["headers"], json.dumps(answer["body"]).encode())


def test_a_hosts_transport_plays_the_scenario() -> None:
    transport, clock = Playing(), VirtualClock("2026-11-20T09:00:00Z")
    secrets = {"crm": SCENARIO["secret"]}
    with rollkeeper.Engine.open(seed=1, clock=clock, secrets=secrets, transport=transport) as engine:
        engine.put_app(SCENARIO["app"])
        engine.put_user(SCENARIO["user"])
        for _ in range(10):
            engine.run()
            clock.advance(3600)
        assert (transport.wrong, transport.left) == ([], [])
        (account,) = engine.accounts()
        assert account.external_id == "2819c223"


def failure_of(transport: Any) -> rollkeeper.Fault:
    app = {**SCENARIO["app"], "enabled": False}
    with rollkeeper.Engine.open(secrets={"crm": "t0ken"}, transport=transport) as engine:
        engine.put_app(app)
        test = engine.test_app("crm")
        assert not test.passed and test.fault is not None
        return test.fault


def raising(error: BaseException) -> Any:
    def send(request: HttpRequest) -> HttpResponse:
        raise error

    return send


def test_what_a_transport_raises_is_told_without_what_it_says() -> None:
    told = failure_of(raising(TransportError("tls_failed", "the certificate has expired", sent=False)))
    assert (told.code, told.message) == ("tls_failed", "the certificate has expired")
    foreign = failure_of(raising(ValueError("canary")))
    assert foreign.code == "unreachable" and "ValueError" in foreign.message and "canary" not in foreign.message
    assert failure_of(lambda request: {"status": 200}).code == "invalid_answer"
    assert failure_of(lambda request: HttpResponse(200, {}, b" " * (8 * 1024 * 1024 + 1))).code == "answer_too_large"


def test_a_transport_is_a_callable() -> None:
    with pytest.raises(TypeError):
        rollkeeper.Engine.open(transport=1)  # type: ignore[arg-type]


def test_a_transport_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(TransportError("timeout", "no answer", sent=True)))
    assert (error.code, error.message, error.sent, str(error)) == ("timeout", "no answer", True, "timeout: no answer")
