"""Statements that are run as they were compiled once: what they return, and what they raise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, bindparam, column, func, insert, select, table, text, update
from sqlalchemy.exc import IntegrityError

from tests.builders import NOON, alert, at
from worker.errors import LedgerAway, LedgerUnusable
from worker.ledger import ready, turns
from worker.ledger.alert_rows import alert_from_row, alert_to_row
from worker.ledger.engine import Ledger
from worker.ledger.ready import Among, Ready
from worker.ledger.tables import DONE, OPEN, silence
from worker.ledger.tables import alert as alert_table
from worker.model import Evidence

_COLUMNS = tuple(alert_to_row(alert()))
_ADD = Ready(lambda _: insert(alert_table), *_COLUMNS)
_QUERY = select(alert_table).where(alert_table.c.due_at >= bindparam("since"), alert_table.c.work == OPEN).limit(9)
_FIND = Ready(lambda _: _QUERY)


def test_rows_are_those_that_sqlalchemy_returns(either_ledger: Ledger) -> None:
    """Times, lists, numbers and what is left to its default: written and read, they are the same values either way."""
    told = alert(evidence=(Evidence(field="text", start=3, end=9, text="missile"),), score=0.25, due_at=at(5))
    with either_ledger.write() as t:
        assert _ADD.run(t, alert_to_row(told)) == 1
        found = _FIND.all(t, {"since": at(5)})
        same = t.execute(_QUERY, {"since": at(5)}).all()
        assert _FIND.all(t, {"since": at(6)}) == []
    assert [tuple(row) for row in found] == [tuple(row) for row in same]
    assert [type(value) for value in found[0]] == [type(value) for value in same[0]]
    assert alert_from_row(found[0]) == told
    assert (found[0].attempt, found[0].detail, found[0].repeat, found[0].shown) == (0, "", False, None)


def test_what_is_written_many_times_says_how_many_rows_it_wrote(either_ledger: Ledger) -> None:
    """One of three is not there, and is not counted."""
    closing = Ready(lambda _: update(alert_table).where(alert_table.c.key == bindparam("wanted")), "work")
    with either_ledger.write() as t:
        assert _ADD.run_all(t, [alert_to_row(alert(number)) for number in (1, 2)]) == 2
        keys = [alert(number).key for number in (1, 2, 3)]
        assert closing.run_all(t, [{"wanted": key, "work": DONE} for key in keys]) == 2
        assert _FIND.all(t, {"since": NOON}) == []


def test_an_error_of_the_driver_is_one_of_sqlalchemy_s(either_ledger: Ledger) -> None:
    """A key that is taken is an IntegrityError, and nothing of its transaction is kept."""
    with pytest.raises(IntegrityError), either_ledger.write() as t:
        _ADD.run_all(t, [alert_to_row(alert(1)), alert_to_row(alert(1))])
    with either_ledger.read() as t:
        assert _FIND.all(t, {"since": NOON}) == []


def test_a_table_that_is_missing_is_named_as_everywhere(either_ledger: Ledger) -> None:
    """Of rows and of texts alike, whichever way the statement was made."""
    missing = Ready(lambda _: select(table("nowhere", column("id"))))
    with pytest.raises(LedgerUnusable, match="not the tables"), either_ledger.read() as t:
        missing.all(t, {})
    with pytest.raises(LedgerUnusable, match="not the tables"), either_ledger.read() as t:
        ready.rows(t, "SELECT id FROM nowhere", ())


def test_what_is_read_is_one_state_of_the_ledger(either_ledger: Ledger) -> None:
    """The first statement begins the transaction: what is written by others after it is not seen."""
    with either_ledger.read() as t:
        before = _FIND.all(t, {"since": NOON})
        with either_ledger.write() as other:
            _ADD.run(other, alert_to_row(alert()))
        assert _FIND.all(t, {"since": NOON}) == before == []
    with either_ledger.read() as t:
        assert len(_FIND.all(t, {"since": NOON})) == 1


def test_a_transaction_that_fails_takes_back_what_was_written_by_it(either_ledger: Ledger) -> None:
    """Such a statement is part of the transaction like any other."""
    with pytest.raises(ZeroDivisionError), either_ledger.write() as t:
        assert turns.take(t, "stories") == 1
        raise ZeroDivisionError
    with either_ledger.write() as t:
        assert turns.take(t, "stories") == 1


def test_a_list_of_any_length_is_refused_when_the_statement_is_made(either_ledger: Ledger) -> None:
    """SQLAlchemy writes such a statement anew each time, which is what is left out here."""
    listed = Ready(lambda _: select(silence).where(silence.c.id.in_(bindparam("ids", expanding=True))))
    with either_ledger.read() as t, pytest.raises(ValueError, match="any length"):
        listed.all(t, {"ids": [1]})


def test_a_connection_that_is_lost_is_a_ledger_that_is_away_and_is_not_used_again(postgres_ledger: Ledger) -> None:
    """The server ends the connection in the midst of a transaction; the next transaction has another one."""
    mine = Ready(lambda _: select(func.pg_backend_pid().label("pid")))
    with pytest.raises(LedgerAway), postgres_ledger.write() as t:
        pid: Any = mine.first(t, {}).pid
        with postgres_ledger.write() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        mine.first(t, {})
    with postgres_ledger.write() as t:
        assert mine.first(t, {}).pid != pid


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 600))
def test_a_list_of_any_length_is_asked_about_at_once(either_ledger: Ledger, wanted: list[int], missing: int) -> None:
    """What is found is what a set would find, each once, whatever is asked for twice and however much is not there."""
    found = Among(
        lambda keys: select(alert_table.c.key).where(
            alert_table.c.key.in_(keys), alert_table.c.work == bindparam("is")
        ),
        Text,
    )
    with either_ledger.write() as t:
        t.execute(alert_table.delete())
        _ADD.run_all(t, [alert_to_row(alert(number)) for number in range(30)])
        keys = [alert(number).key for number in dict.fromkeys(wanted)] + [f"missing {n}" for n in range(missing)]
        keys += keys[:1]
        shown = [row.key for row in found.all(t, keys, {"is": OPEN})]
        assert sorted(set(shown)) == sorted({alert(number).key for number in wanted if number < 30})
        # Only what is asked for in two parts of a long list is found in both.
        assert len(shown) - len(set(shown)) <= (len(keys) > 256)
        assert found.all(t, keys, {"is": DONE}) == found.all(t, [], {"is": OPEN}) == []
