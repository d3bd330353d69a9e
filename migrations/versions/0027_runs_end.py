"""A run's key and files go some time after its end."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("runs", sa.Column("closed", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("emptied", sa.DateTime(timezone=True), nullable=True))
    where = sa.text("emptied IS NULL")
    op.create_index("ix_runs_to_empty", "runs", ["ended"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_runs_to_empty", table_name="runs")
    op.drop_column("runs", "emptied")
    op.drop_column("runs", "closed")
