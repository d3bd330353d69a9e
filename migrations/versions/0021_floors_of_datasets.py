"""Floors of datasets, which two members of a DAC sign."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; until somebody signs, a dataset has no floors of its own."""
    op.create_table(
        "dataset_floors",
        sa.Column("dataset", sa.String(length=64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("thresholds", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.String(length=200), nullable=True),
        sa.Column("signed", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("dataset_floors")
