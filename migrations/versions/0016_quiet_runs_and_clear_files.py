"""Runs about few persons are kept quiet (T6); files are marked as clear by their owners (T17)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NEW = (
    ("runs", "quiet", sa.Boolean(), sa.false()),
    ("decisions", "quiet", sa.Boolean(), sa.false()),
    ("stored_objects", "clear", sa.String(length=300), ""),
)


def upgrade() -> None:
    """Go forward; what ran before stays told as it was, and no file of before is clear."""
    # Not in a batch: SQLite would make the table anew, which rows of other tables point to.
    for table, name, kind, default in NEW:
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("runs", sa.Column("told", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_runs_told", "runs", ["told"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_runs_told", "runs")
    op.drop_column("runs", "told")
    for table, name, _, _ in reversed(NEW):
        op.drop_column(table, name)
