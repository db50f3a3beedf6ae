"""Alembic's entry: runs the migrations in the transaction that ``worker.ledger.migrate`` has opened."""

from alembic import context

from worker.ledger.archive import compared
from worker.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=compared,
    # SQLite changes most things by copying the table.
    render_as_batch=True,
)
context.run_migrations()
