"""Functions that need no engine."""

from __future__ import annotations

import pytest

import rollkeeper

from .conftest import rows

STATES = sorted({row["from"] for row in rows("transitions.csv")})
EVENTS = sorted({row["event"] for row in rows("events.csv")})


def test_the_list_of_transitions_is_whole() -> None:
    pairs = {(row["from"], row["to"]) for row in rows("transitions.csv")}
    assert len(STATES) == 12
    assert pairs == {(one, other) for one in STATES for other in STATES}


@pytest.mark.parametrize("row", rows("transitions.csv"), ids=lambda row: f"{row['from']}-{row['to']}")
def test_a_request_changes_as_the_list_says(row: dict[str, str]) -> None:
    assert rollkeeper.can_change(row["from"], row["to"]) is (row["allowed"] == "yes")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_an_event_leads_where_the_list_says(state: str, event: str) -> None:
    wanted = {(row["event"], row["from"]): row["to"] for row in rows("events.csv")}
    if (event, state) in wanted:
        assert rollkeeper.next_state(state, event) == wanted[event, state]
    else:
        with pytest.raises(rollkeeper.CallerError) as caught:
            rollkeeper.next_state(state, event)
        assert caught.value.code == "invalid_transition"


def test_an_expression_sees_the_account_as_a_dict_or_as_text() -> None:
    for current in ({"title": "CEO"}, '{"title": "CEO"}', b'{"title": "CEO"}'):
        assert rollkeeper.evaluate("current.title", {}, current=current) == "CEO"


def test_an_expression_tells_what_it_reads() -> None:
    report = rollkeeper.check_expression("lookup('dept', user.dept) + token", tables={"dept": {"X": "HR"}})
    assert (report.variables, report.functions) == (("token", "user"), ("lookup",))
    assert (report.paths, report.type, report.place) == (("dept",), "string", "") and report.cost > 0
    with pytest.raises(rollkeeper.ConfigurationError) as caught:
        rollkeeper.check_expression("user.a.lowr()")
    assert caught.value.code == "unknown_function"


def test_a_state_or_event_that_does_not_exist_is_refused() -> None:
    with pytest.raises(rollkeeper.CallerError) as caught:
        rollkeeper.can_change("New", "Done")
    assert caught.value.code == "unknown_state"
    with pytest.raises(rollkeeper.CallerError) as caught:
        rollkeeper.next_state("New", "vanish")
    assert caught.value.code == "invalid_argument"
