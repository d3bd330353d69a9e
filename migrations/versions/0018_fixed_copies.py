"""Fixed copies with what was done to them, and the workflow of each run in the airlock."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go forward; what intake took so far are outputs themselves."""
    op.add_column("airlock_files", sa.Column("fixed_from", sa.String(length=32), nullable=True))
    op.add_column("airlock_files", sa.Column("fixes", JSON, nullable=False, server_default="[]"))
    op.add_column("airlock_runs", sa.Column("workflow", sa.String(length=100), nullable=False, server_default=""))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("airlock_files") as table:
        table.drop_column("fixes")
        table.drop_column("fixed_from")
    with op.batch_alter_table("airlock_runs") as table:
        table.drop_column("workflow")
