"""Sessions of the pages, forms that count once, and sign-ins on their way."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "page_sessions",
        sa.Column("id", sa.String(length=64), primary_key=True),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.Column("signed_in", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stepped_up", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_page_sessions_person", "page_sessions", ["person"])
    op.create_index("ix_page_sessions_ends", "page_sessions", ["ends"])
    op.create_table(
        "used_forms",
        sa.Column(
            "session",
            sa.String(length=64),
            sa.ForeignKey("page_sessions.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("word", sa.String(length=32), primary_key=True),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.String(length=64), primary_key=True),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=64), nullable=False),
        sa.Column("goes_to", sa.String(length=500), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_sign_in_attempts_ends", "sign_in_attempts", ["ends"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("sign_in_attempts")
    op.drop_table("used_forms")
    op.drop_table("page_sessions")
