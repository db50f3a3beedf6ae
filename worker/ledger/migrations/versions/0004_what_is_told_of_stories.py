"""What is told of stories: terms by which they are found, merges, digests, silences, channels that wait."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("story", sa.Column("merged", sa.Text(), nullable=True))
    joined: tuple[sa.Column[Any], ...] = (
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("shingles", sa.LargeBinary(), nullable=True),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
    )
    for column in joined:
        op.add_column("member", column)
    op.create_index(op.f("ix_member_seq"), "member", ["seq"], unique=False)
    op.create_table(
        "posting",
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("article_id", "term", name=op.f("pk_posting")),
    )
    op.create_index(op.f("ix_posting_term_at"), "posting", ["term", "at"], unique=False)
    op.create_index(op.f("ix_posting_at"), "posting", ["at"], unique=False)

    more: tuple[sa.Column[Any], ...] = (
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("shown", sa.JSON(), nullable=True),
        sa.Column("repeat", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    for column in more:
        op.add_column("alert", column)
    op.create_index(op.f("ix_alert_digest"), "alert", ["digest"], unique=False)
    op.create_index(op.f("ix_alert_article_id"), "alert", ["article_id"], unique=False)
    op.create_index(op.f("ix_alert_channel_id_due_at"), "alert", ["channel_id", "due_at"], unique=False)

    op.create_table(
        "channel",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hold_until", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("config", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("topic", "outlet", "channel", "story", "author", "comment")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "starts_at", "ends_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index(op.f("ix_silence_ends_at"), "silence", ["ends_at"], unique=False)
    _decisions(("article_id", "topic_id", "channel_id", "at"), sa.Column("alert_key", sa.Text(), nullable=True))
    # What was decided before is known by its article, topic and channel.
    op.execute(
        "UPDATE decision SET alert_key = (SELECT alert.key FROM alert WHERE alert.article_id = decision.article_id "
        "AND alert.topic_id = decision.topic_id AND alert.channel_id = decision.channel_id)"
    )


def downgrade() -> None:
    op.execute(
        "DELETE FROM decision WHERE EXISTS (SELECT 1 FROM decision AS later "
        "WHERE later.article_id = decision.article_id AND later.topic_id = decision.topic_id "
        "AND later.channel_id = decision.channel_id AND later.at > decision.at)"
    )
    _decisions(("article_id", "topic_id", "channel_id"))
    op.drop_table("silence")
    op.drop_table("channel")
    for index in ("ix_alert_channel_id_due_at", "ix_alert_article_id", "ix_alert_digest"):
        op.drop_index(op.f(index), table_name="alert")
    for column in ("repeat", "shown", "digest", "detail"):
        op.drop_column("alert", column)
    op.drop_table("posting")
    op.drop_index(op.f("ix_member_seq"), table_name="member")
    for column in ("seq", "shingles", "why"):
        op.drop_column("member", column)
    op.drop_column("story", "merged")


def _decisions(key: tuple[str, ...], *more: sa.Column[Any]) -> None:
    """Make the table of decisions anew with another primary key: SQLite cannot change the one it has."""
    op.rename_table("decision", "decision_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE decision_before RENAME CONSTRAINT pk_decision TO pk_decision_before")
    op.create_table(
        "decision",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("article_id", "topic_id", "channel_id")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *((sa.Column("detail", sa.Text(), server_default="", nullable=False), *more) if more else ()),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_decision")),
    )
    kept = "article_id, topic_id, channel_id, at, reason"
    op.execute(f"INSERT INTO decision ({kept}) SELECT {kept} FROM decision_before")  # noqa: S608 - names of our own
    op.drop_table("decision_before")
