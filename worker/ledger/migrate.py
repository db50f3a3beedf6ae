"""Bringing a ledger to the schema of this version."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from worker.errors import LedgerUnusable
from worker.ledger.connections import READ_ONLY

#: The newest revision in ``migrations/versions``; a test compares them.
HEAD = "0008"
_SCRIPTS = Path(__file__).with_name("migrations")
#: What the migrations make of an empty SQLite file, as statements; a test compares both and can write it anew.
SCHEMA = _SCRIPTS / "sqlite.sql"
#: The name of the turn on PostgreSQL: a number that only wirewatch uses, the letters "wirewatc".
_LOCK = 0x7769726577617463
#: Seconds to wait for another process that migrates.
_PATIENCE = 300


def upgrade(engine: Engine, *, name: str, other: str) -> None:
    """Bring the ledger behind ``engine`` to ``HEAD``, in one transaction; nothing is done when it is there.

    Of several processes that come at once one does it, and the others wait for it. ``name`` and ``other`` are for
    messages: which ledger it is, and how to take another.

    Raises:
        LedgerUnusable: the ledger was made by a newer version, or is the database of another program.
    """
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        if revision(connection) == HEAD:
            return
    # On SQLite to begin is to be alone already.
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        _upgrade(connection, name=name, other=other)


def _upgrade(connection: Connection, *, name: str, other: str) -> None:
    current = revision(connection)
    if current == HEAD:  # somebody has done it meanwhile
        return
    tables = set(inspect(connection).get_table_names())
    if current is None and tables - {"alembic_version"}:
        raise LedgerUnusable(f"{name}: holds the tables of something else; {other}")
    if not tables and _has_fts5(connection):
        _make(connection)
        current = revision(connection)
        if current == HEAD:  # the statements may be behind while a migration is being written
            return
    # Alembic is imported only when there is something to do: it costs more than opening the ledger.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise LedgerUnusable(
            f"{name}: was made by a newer wirewatch (schema {current}, this version knows {HEAD}); "
            f"upgrade wirewatch, or {other}"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _has_fts5(connection: Connection) -> bool:
    """Return whether this is an SQLite with full-text indexes; without them the migrations say what is missing."""
    if connection.dialect.name != "sqlite":
        return False
    asked = "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
    return bool(connection.exec_driver_sql(asked).scalar_one())


def _make(connection: Connection) -> None:
    """Make all tables of ``HEAD`` in an empty file at once: 10 ms, where Alembic takes 250 to import and 100 to run."""
    for statement in SCHEMA.read_text("utf-8").split(";\n\n"):
        connection.exec_driver_sql(statement)


def revision(connection: Connection) -> str | None:
    """Return the revision that the ledger says it has, ``None`` for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
