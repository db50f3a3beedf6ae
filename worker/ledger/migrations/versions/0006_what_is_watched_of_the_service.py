"""What is watched of the service itself: tallies, and the lengths of texts by host."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("n", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", "day", "shard", name=op.f("pk_tally")),
    )
    op.create_table(
        "length",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Float(53), nullable=False),
        sa.Column("recent", sa.Float(53), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_length")),
    )
    op.create_index(op.f("ix_entry_article_id"), "entry", ["article_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_entry_article_id"), table_name="entry")
    op.drop_table("length")
    op.drop_table("tally")
