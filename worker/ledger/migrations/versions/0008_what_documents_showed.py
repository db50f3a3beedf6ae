"""What the last document of a feed showed, so that a poll parses what is new in the next."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed", sa.Column("shown", sa.LargeBinary(), nullable=True))
    op.add_column("feed", sa.Column("whole_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("feed", "whole_at")
    op.drop_column("feed", "shown")
