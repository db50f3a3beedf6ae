"""Bringing a ledger to the schema of this version."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from worker.errors import LedgerUnusable

#: The newest revision in ``migrations/versions``; a test compares them.
HEAD = "0002"
_SCRIPTS = Path(__file__).with_name("migrations")


def upgrade(engine: Engine, *, name: str) -> None:
    """Bring the ledger behind ``engine`` to ``HEAD``, in one transaction; nothing is done when it is there.

    Raises:
        LedgerUnusable: the ledger was made by a newer version, or is the database of another program.
    """
    with engine.connect() as connection:
        current = revision(connection)
        foreign = current is None and bool(set(inspect(connection).get_table_names()) - {"alembic_version"})
    if current == HEAD:
        return
    if foreign:
        raise LedgerUnusable(f"{name}: holds the tables of something else; choose another --state")
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
            "upgrade wirewatch, or choose another --state"
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def revision(connection: Connection) -> str | None:
    """Return the revision that the ledger says it has, ``None`` for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
