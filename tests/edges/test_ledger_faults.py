"""What is said and done when the ledger's database is away, busy, full, or not to be had at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests.builders import NOON, article, at, entry
from tests.rows import new
from worker.errors import DiskFull, LedgerAway, LedgerError, LedgerUnusable
from worker.ledger import connections, entries, faults
from worker.ledger.engine import Ledger, open_file
from worker.ledger.persist import WAITS, persist

#: What a URL and a connection string give a meaning to.
SECRET = "s3cr:et@/%p?x&y=z"
PLACE = faults.place(make_url("postgresql+psycopg://me:geheim@db.example:5433/news"))


def url_of(ledger: Ledger, **changes: Any) -> URL:
    """Return the URL of a ledger with other parts."""
    return ledger._engine.url.set(**changes)


@pytest.fixture
def locked(postgres_ledger: Ledger) -> Iterator[URL]:
    """Give the URL of a role that has a password and may connect once."""
    with postgres_ledger.read() as t:
        rules = Path(t.exec_driver_sql("SHOW hba_file").scalar_one())
    before = rules.read_text()
    rules.write_text(f"local all locked scram-sha-256\n{before}")
    with postgres_ledger.write() as t:
        t.exec_driver_sql("CREATE ROLE locked LOGIN PASSWORD 'the-right-one' CONNECTION LIMIT 1")
        t.exec_driver_sql("SELECT pg_reload_conf()")
    # Only after this has been read are its rules in force.
    _reloaded(postgres_ledger)
    yield url_of(postgres_ledger, username="locked", password="the-right-one")
    rules.write_text(before)
    with postgres_ledger.write() as t:
        t.exec_driver_sql("DROP OWNED BY locked")
        t.exec_driver_sql("DROP ROLE locked")
        t.exec_driver_sql("SELECT pg_reload_conf()")


def _reloaded(ledger: Ledger) -> None:
    wrong = url_of(ledger, username="locked", password="wrong")
    for _ in range(1000):
        try:
            psycopg.connect(
                host=str(wrong.query["host"]), user="locked", password="wrong", dbname=wrong.database
            ).close()
        except psycopg.OperationalError:
            return
    raise AssertionError("the server has not read its rules")


# PostgreSQL, in earnest


def test_a_server_that_is_not_there_is_away(postgres_ledger: Ledger, tmp_path: Path) -> None:
    """The message says where it was looked for, and what was heard."""
    nowhere = url_of(postgres_ledger, query={"host": str(tmp_path)}, password=SECRET)
    with pytest.raises(LedgerAway) as caught:
        Ledger(nowhere)
    assert str(caught.value).startswith(f"{tmp_path}/postgres: the ledger does not answer")
    assert "No such file or directory" in str(caught.value)


def test_a_port_that_nobody_listens_on_is_away() -> None:
    """As when PostgreSQL is being restarted."""
    with pytest.raises(LedgerAway, match=r"^127\.0\.0\.1:1/news: .*Connection refused"):
        Ledger(f"postgresql+psycopg://me:{quote(SECRET, '')}@127.0.0.1:1/news")


def test_a_wrong_password_is_for_a_person_and_is_not_shown(locked: URL) -> None:
    """Neither in the message nor in what it came from."""
    with pytest.raises(LedgerUnusable, match=r"password authentication failed.*service\.yaml") as caught:
        Ledger(locked.set(password=SECRET))
    said = "".join(str(error) for error in _chain(caught.value))
    assert SECRET not in said
    assert quote(SECRET, "") not in said


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"username": "nobody"}, 'role "nobody" does not exist'),
        ({"query": {"sslmode": "sometimes", "host": "/run"}}, "invalid sslmode"),
        ({"query": {"colour": "green", "host": "/run"}}, "invalid connection option"),
    ],
    ids=["database", "user", "sslmode", "option"],
)
def test_what_no_waiting_will_mend_is_for_a_person(postgres_ledger: Ledger, changes: dict[str, Any], said: str) -> None:
    """A name that the server does not know, or an option that there is not."""
    with pytest.raises(LedgerUnusable, match=said):
        Ledger(url_of(postgres_ledger, **changes))


def test_a_role_without_the_privilege_is_for_a_person(locked: URL, postgres_ledger: Ledger) -> None:
    """It may connect and not read the tables."""
    with pytest.raises(LedgerUnusable, match=r"permission denied.*service\.yaml"):
        Ledger(locked)
    assert postgres_ledger.clock() is not None


def test_too_many_connections_are_a_matter_of_waiting(locked: URL) -> None:
    """The role may connect once, and somebody has."""
    taken = psycopg.connect(
        host=str(locked.query["host"]), user="locked", password="the-right-one", dbname=locked.database
    )
    with pytest.raises(LedgerAway, match="too many connections"):
        Ledger(locked)
    taken.close()


def test_no_url_at_all_is_said_without_showing_it() -> None:
    """What was meant as a URL may hold a password in any place."""
    with pytest.raises(LedgerUnusable) as caught:
        Ledger(f"postgresql {SECRET}")
    assert SECRET not in str(caught.value)


def test_a_connection_that_was_ended_costs_its_transaction_and_no_more(postgres_ledger: Ledger) -> None:
    """The server ends it in the middle: nothing was kept, and the next transaction has a connection."""
    with pytest.raises(LedgerAway, match="terminating connection"), postgres_ledger.write() as t:
        entries.add_article(t, article(), now=NOON)
        mine = t.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with postgres_ledger.write() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({mine}, 5000)")
        entries.add_article(t, article(2), now=NOON)
    with postgres_ledger.write() as t:
        assert entries.known_articles(t, ["a-1", "a-2"]) == set()
        assert entries.add_article(t, article(), now=NOON)


def test_idle_connections_that_were_ended_are_not_noticed(postgres_ledger: Ledger) -> None:
    """As after a restart of the server: the next transaction does not fail for it."""
    with postgres_ledger.read() as one, postgres_ledger.read() as two:
        pids = [t.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for t in (one, two)]
    killer = Ledger(postgres_ledger._engine.url)
    with killer.write() as t:
        for pid in pids:
            t.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    killer.close()
    with postgres_ledger.read() as t:
        assert t.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_deadlock_is_a_matter_of_trying_again(postgres_ledger: Ledger) -> None:
    """Of two that wait for each other one is told, and the other goes on."""
    with postgres_ledger.write() as t:
        entries.add(t, new(entry(1), entry(2)), now=NOON)
        one, two = (claim.id for claim in entries.claim(t, now=NOON, limit=2))
    met, ends = threading.Barrier(2), []

    def work(first: int, second: int) -> None:
        try:
            with postgres_ledger.write() as t:
                entries.note_article(t, first, "a")
                met.wait(30)
                entries.note_article(t, second, "a")
            ends.append("done")
        except LedgerAway as error:
            ends.append("deadlock" if "deadlock detected" in str(error) else str(error))

    threads = [threading.Thread(target=work, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends) == ["deadlock", "done"]


def test_whoever_holds_a_row_keeps_nobody_waiting_for_ever(postgres_ledger: Ledger) -> None:
    """A worker that was stopped in the middle of a transaction: the others are told that it is busy."""
    with postgres_ledger.write() as t:
        entries.add(t, new(entry(1)), now=NOON)
        (claim,) = entries.claim(t, now=NOON, limit=1)
    with postgres_ledger.write() as holding:
        entries.note_article(holding, claim.id, "a")
        with pytest.raises(LedgerAway, match="lock timeout"), postgres_ledger.write() as t:
            assert t.exec_driver_sql("SHOW lock_timeout").scalar_one() == f"{connections.BUSY_TIMEOUT}s"
            t.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            entries.note_article(t, claim.id, "b")


def test_connections_say_who_they_are_and_see_what_was_committed(postgres_ledger: Ledger) -> None:
    """For whoever looks at the server; and claims need READ COMMITTED, whatever the server's default is."""
    with postgres_ledger.write() as t:
        assert t.exec_driver_sql("SHOW application_name").scalar_one() == "wirewatch"
        assert t.exec_driver_sql("SHOW transaction_isolation").scalar_one() == "read committed"
    with postgres_ledger.read() as t:
        assert t.exec_driver_sql("SHOW transaction_isolation").scalar_one() == "repeatable read"
        assert t.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on"


def test_what_the_url_says_goes_before_our_defaults(postgres_ledger: Ledger) -> None:
    """A name of one's own for the connections."""
    named = url_of(postgres_ledger).update_query_dict({"application_name": "desk", "connect_timeout": "2"})
    ledger = Ledger(named)
    with ledger.read() as t:
        assert t.exec_driver_sql("SHOW application_name").scalar_one() == "desk"
    ledger.close()


def test_the_database_of_something_else_is_refused(postgres_ledger: Ledger) -> None:
    """Its tables are left alone, and the remedy is not --state."""
    other = psycopg.connect(
        host=str(url_of(postgres_ledger).query["host"]), user="postgres", dbname="postgres", autocommit=True
    )
    other.execute("CREATE DATABASE shop")
    shop = url_of(postgres_ledger, database="shop")
    with psycopg.connect(host=str(shop.query["host"]), user="postgres", dbname="shop") as connection:
        connection.execute("CREATE TABLE goods (id int)")
    connection.close()
    try:
        with pytest.raises(LedgerUnusable, match=r"/shop: holds the tables of something else; name another database"):
            Ledger(shop)
    finally:
        other.execute("DROP DATABASE shop")
        other.close()


def test_many_that_open_an_empty_database_at_once_all_get_a_ledger(postgres_ledger: Ledger) -> None:
    """One migrates, the others wait for it."""
    with psycopg.connect(
        host=str(url_of(postgres_ledger).query["host"]), user="postgres", dbname="postgres", autocommit=True
    ) as other:
        other.execute("CREATE DATABASE fresh")
        assert _opened_at_once(lambda: Ledger(url_of(postgres_ledger, database="fresh"))) == []
        other.execute("DROP DATABASE fresh")
    other.close()


# SQLite, in earnest


def test_many_that_open_a_new_file_at_once_all_get_a_ledger(tmp_path: Path) -> None:
    """As parts of the service that start together."""
    for number in range(5):
        assert _opened_at_once(lambda number=number: open_file(tmp_path / f"{number}.sqlite")) == []  # type: ignore[misc]


def _opened_at_once(opening: Callable[[], Ledger]) -> list[Exception]:
    """Return the errors of six threads that open a ledger and write into it at one moment."""
    start, errors = threading.Barrier(6), []

    def work(number: int) -> None:
        start.wait(30)
        try:
            ledger = opening()
            with ledger.write() as t:
                entries.add(t, new(entry(number)), now=NOON)
            ledger.close()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_a_file_that_another_process_holds_is_a_matter_of_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading goes on meanwhile, and so does opening; afterwards everything is as before."""
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.05)
    ledger = open_file(tmp_path / "ledger.sqlite")
    holding = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerAway, match=r"ledger\.sqlite: another process has held it"), ledger.write():
        pass
    open_file(tmp_path / "ledger.sqlite").close()
    with ledger.read() as t:
        assert entries.known_articles(t, ["a-1"]) == set()
    holding.execute("ROLLBACK")
    holding.close()
    with ledger.write() as t:
        assert entries.add_article(t, article(), now=NOON)
    ledger.close()


_CHILD = """
import os, sys
from pathlib import Path
from sqlalchemy import make_url
from tests.builders import NOON, article
from worker.ledger import entries
from worker.ledger.engine import Ledger

ledger = Ledger(sys.argv[1])
with ledger.write() as t:
    entries.add_article(t, article(1), now=NOON)
child = os.fork()
with ledger.write() as t:
    entries.add_article(t, article(2 if child else 3), now=NOON)
if not child:
    ledger.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
with ledger.read() as t:
    assert entries.known_articles(t, ["a-1", "a-2", "a-3"]) == {"a-1", "a-2", "a-3"}
ledger.close()
"""


def test_a_child_has_connections_of_its_own(either_ledger: Ledger) -> None:
    """A process that forks with an open ledger, as a Celery worker may: both write, and neither disturbs the other."""
    url = either_ledger._engine.url.render_as_string(hide_password=False)
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", _CHILD, url],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


# What errors mean


def told(error: Exception, kind: type[DBAPIError] = OperationalError) -> Exception:
    """Return what an error of psycopg becomes."""
    return faults.named(kind("INSERT ...", {}, error), PLACE)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", DiskFull),
        ("53200", LedgerAway),
        ("53300", LedgerAway),
        ("57P01", LedgerAway),
        ("57P02", LedgerAway),
        ("57P03", LedgerAway),
        ("57014", LedgerAway),
        ("40001", LedgerAway),
        ("40P01", LedgerAway),
        ("55P03", LedgerAway),
        ("25P03", LedgerAway),
        ("25006", LedgerAway),
        ("08006", LedgerAway),
        ("28P01", LedgerUnusable),
        ("3D000", LedgerUnusable),
        ("42501", LedgerUnusable),
        ("42P01", LedgerUnusable),
    ],
)
def test_a_code_of_the_server_means_what_its_manual_says(state: str, kind: type[LedgerError]) -> None:
    """Whatever language its text is in; what comes after the first line may quote an article, and is left out."""
    found = told(psycopg.errors.lookup(state)("die Meldung\nDETAIL: ein Artikel"))
    assert type(found) is kind
    assert str(found).startswith("db.example:5433/news: ")
    assert "Artikel" not in str(found)


def test_a_mistake_of_ours_stays_what_it_is() -> None:
    """A statement that is wrong is no matter of the ledger's."""
    error = DBAPIError("SELEKT", {}, psycopg.errors.lookup("42601")("syntax error"))
    assert faults.named(error, PLACE) is error


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("connection failed: FATAL:  the database system is starting up", LedgerAway),
        ("connection failed: FATAL:  the database system is shutting down", LedgerAway),
        ("connection failed: FATAL:  sorry, too many clients already", LedgerAway),
        ("consuming input failed: server closed the connection unexpectedly", LedgerAway),
        ("the connection is closed", LedgerAway),
        ("connection timeout expired", LedgerAway),
        ('connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1"', LedgerUnusable),
        ("connection failed: server does not support SSL, but SSL was required", LedgerUnusable),
    ],
)
@pytest.mark.parametrize("wrapped", [OperationalError, InterfaceError])
def test_a_connection_that_did_not_come_about_is_told_by_its_text(
    text: str, kind: type[LedgerError], wrapped: type[DBAPIError]
) -> None:
    """For libpq gives no code for it."""
    assert type(told(psycopg.OperationalError(text), wrapped)) is kind


def test_a_pool_without_a_free_connection_is_a_matter_of_waiting() -> None:
    """More threads than connections, each in a long transaction."""
    assert type(faults.named(PoolTimeout("QueuePool limit"), PLACE)) is LedgerAway


@given(secret=st.text(min_size=6, max_size=30).filter(lambda s: s.isprintable() and not s.isspace()))
def test_no_message_shows_a_password(secret: str) -> None:
    """Whatever it is made of, wherever the URL holds it, and even if the server should quote it."""
    url = URL.create("postgresql+psycopg", "me", secret, "db.example", 5432, "news", {"sslpassword": secret})
    place = faults.place(make_url(url.render_as_string(hide_password=False)))

    def said(text: str) -> str:
        return str(faults.named(OperationalError("", {}, psycopg.OperationalError(text)), place))

    assume(secret not in said("nonsense"))
    for text in (secret, quote(secret, ""), quote_plus(secret), url.render_as_string(hide_password=False)):
        assert secret not in said(f"nonsense: {text}")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+psycopg://u:p@h:5433/d", "h:5433/d"),
        ("postgresql+psycopg://h/d?password=p", "h/d"),
        ("postgresql+psycopg:///d?host=/run/pg&password=p", "/run/pg/d"),
        ("postgresql+psycopg://u:p@/d?host=a:1&host=b:2", "a:1,b:2/d"),
        ("postgresql+psycopg://u:p@[::1]:5432/d", "[::1]:5432/d"),
        ("sqlite:////state/ledger.sqlite", "/state/ledger.sqlite"),
    ],
)
def test_a_ledger_is_named_by_its_place_alone(url: str, name: str) -> None:
    """Host, port and database, or the file."""
    assert faults.place(make_url(url)).name == name


# Waiting for it


def test_what_must_not_be_lost_is_written_as_soon_as_the_ledger_is_back() -> None:
    """After three tries that failed, with growing waits between."""
    ends: list[Exception | None] = [LedgerAway("away"), DiskFull("full"), LedgerAway("away"), None]
    slept: list[float] = []

    def write() -> str:
        if (error := ends.pop(0)) is not None:
            raise error
        return "written"

    assert persist(write, sleep=slept.append) == "written"
    assert slept == list(WAITS[:3])
    assert slept == sorted(slept)


def test_a_ledger_that_stays_away_is_given_up_after_a_minute() -> None:
    """With the error of the last try; and what no waiting mends is not waited for."""
    slept: list[float] = []
    tries: list[LedgerError] = []

    def write() -> None:
        tries.append(LedgerAway(f"try {len(tries) + 1}"))
        raise tries[-1]

    with pytest.raises(LedgerAway, match=f"try {len(WAITS) + 1}"):
        persist(write, sleep=slept.append)
    assert 55 <= sum(slept) <= 65

    def refuse() -> None:
        raise LedgerUnusable("no")

    slept.clear()
    with pytest.raises(LedgerUnusable):
        persist(refuse, sleep=slept.append)
    assert slept == []


def test_the_clock_of_the_ledger_is_aware_and_goes_forward(either_ledger: Ledger) -> None:
    """Read twice."""
    first, second = either_ledger.clock(), either_ledger.clock()
    assert first.utcoffset() == at(0).utcoffset()
    assert first <= second
