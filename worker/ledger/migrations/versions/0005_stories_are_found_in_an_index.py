"""Stories are found in an index: postings say which story their article has joined."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posting", sa.Column("story_id", sa.Text(), server_default="", nullable=False))
    # Of an article that is not in the ledger any more nothing can be found.
    of = "FROM member WHERE member.article_id = posting.article_id"
    op.execute(f"DELETE FROM posting WHERE NOT EXISTS (SELECT 1 {of})")  # noqa: S608 - names of our own
    op.execute(f"UPDATE posting SET story_id = (SELECT member.story_id {of})")  # noqa: S608 - names of our own
    op.drop_index(op.f("ix_posting_term_at"), table_name="posting")
    op.create_index(op.f("ix_posting_term_at_story_id"), "posting", ["term", "at", "story_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_posting_term_at_story_id"), table_name="posting")
    op.create_index(op.f("ix_posting_term_at"), "posting", ["term", "at"], unique=False)
    op.drop_column("posting", "story_id")
