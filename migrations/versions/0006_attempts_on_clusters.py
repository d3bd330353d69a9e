"""Attempts that outlive the dispatcher: what they were started with, who took them, what they claimed with."""

import sqlalchemy as sa
from alembic import op

from strongroom.database import Json

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("attempts") as batch_op:
        for name in ("launch", "begun", "claim"):
            batch_op.add_column(sa.Column(name, Json, nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("attempts") as batch_op:
        for name in ("claim", "begun", "launch"):
            batch_op.drop_column(name)
