"""Decisions tell since when their runs follow data (T4); jobs, what their tasks printed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go forward; earlier runs follow data since the moment that WES wrote down."""
    op.add_column("decisions", sa.Column("follows_data", sa.DateTime(timezone=True), nullable=True))
    since = "SELECT runs.data_dependent FROM runs WHERE runs.id = decisions.run"
    op.execute(f"UPDATE decisions SET follows_data = ({since})")  # noqa: S608 - fixed words
    with op.batch_alter_table("run_tasks") as batch_op:
        batch_op.add_column(sa.Column("printed", JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("run_tasks") as batch_op:
        batch_op.alter_column("printed", server_default=None)


def downgrade() -> None:
    """Go back."""
    op.drop_column("run_tasks", "printed")
    op.drop_column("decisions", "follows_data")
