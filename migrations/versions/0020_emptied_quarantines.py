"""When a quarantine was closed, and when its key and bodies were gone."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what ended long ago is emptied by the next sweep."""
    with op.batch_alter_table("airlock_runs") as table:
        table.add_column(sa.Column("closed", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("emptied", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("airlock_runs") as table:
        table.drop_column("emptied")
        table.drop_column("closed")
