"""What polling learns: moves, hints, rhythm, the identities of entries, and edits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alias",
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed_id", "key", name=op.f("pk_alias")),
    )
    op.create_index(op.f("ix_alias_entry_id"), "alias", ["entry_id"], unique=False)
    op.execute("INSERT INTO alias (feed_id, key, entry_id) SELECT feed_id, key, id FROM entry")

    for column in (
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("max_age", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("base", sa.BigInteger(), server_default="600000000", nullable=False),
        sa.Column("moved_to", sa.Text(), nullable=True),
        sa.Column("moved_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("full_at", sa.BigInteger(), nullable=True),
        sa.Column("validators", sa.Text(), server_default="", nullable=False),
        sa.Column("gaps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hints", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("rhythm", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("parsed_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("feed", column)
    op.create_index(op.f("ix_feed_host"), "feed", ["host"], unique=False)
    # The next poll parses again, so that entries learn their fingerprints.
    op.execute("UPDATE feed SET body_hash = NULL, etag = NULL, last_modified = NULL, full_at = last_success_at")

    for column in (
        sa.Column("seen_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("title_key", sa.Text(), server_default="", nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("edits", sa.Integer(), server_default="0", nullable=False),
    ):
        op.add_column("entry", column)
    op.execute("UPDATE entry SET seen_at = first_seen_at")
    op.drop_index("ix_entry_first_seen_at", table_name="entry")
    op.create_index(op.f("ix_entry_seen_at"), "entry", ["seen_at"], unique=False)
    op.create_index(op.f("ix_entry_feed_id_title_key"), "entry", ["feed_id", "title_key"], unique=False)

    op.add_column("article", sa.Column("page", sa.Text(), server_default="", nullable=False))
    op.create_index(op.f("ix_article_page"), "article", ["page"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_article_page", table_name="article")
    op.drop_column("article", "page")
    op.drop_index("ix_entry_feed_id_title_key", table_name="entry")
    op.drop_index("ix_entry_seen_at", table_name="entry")
    op.create_index("ix_entry_first_seen_at", "entry", ["first_seen_at"], unique=False)
    for name in ("edits", "fingerprint", "title_key", "seen_at"):
        op.drop_column("entry", name)
    op.drop_index("ix_feed_host", table_name="feed")
    for name in (
        "parsed_at",
        "rhythm",
        "hints",
        "gaps",
        "validators",
        "full_at",
        "address",
        "moved_count",
        "moved_to",
        "base",
        "max_age",
        "host",
    ):
        op.drop_column("feed", name)
    op.drop_index("ix_alias_entry_id", table_name="alias")
    op.drop_table("alias")
