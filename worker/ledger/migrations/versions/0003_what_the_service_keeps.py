"""What the service keeps: texts of the configuration, progress; claims that cost the same however much waits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WORK = ("feed", "entry", "alert")


def upgrade() -> None:
    op.create_table(
        "progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_progress")),
    )
    op.add_column("snapshot", sa.Column("files", sa.JSON(), nullable=True))
    in_hand = sa.text("lease_until IS NOT NULL")
    for table in _WORK:
        op.drop_index(op.f(f"ix_{table}_work_due_at"), table_name=table)
        op.create_index(op.f(f"ix_{table}_work_due_at_id"), table, ["work", "due_at", "id"], unique=False)
        op.create_index(
            op.f(f"ix_{table}_lease_until"),
            table,
            ["lease_until"],
            unique=False,
            sqlite_where=in_hand,
            postgresql_where=in_hand,
        )


def downgrade() -> None:
    for table in _WORK:
        op.drop_index(op.f(f"ix_{table}_lease_until"), table_name=table)
        op.drop_index(op.f(f"ix_{table}_work_due_at_id"), table_name=table)
        op.create_index(op.f(f"ix_{table}_work_due_at"), table, ["work", "due_at"], unique=False)
    op.drop_column("snapshot", "files")
    op.drop_table("progress")
