"""How sensitive a dataset is; what was there before counts as high until its custodian says otherwise."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.add_column(sa.Column("sensitivity", sa.String(length=10), nullable=False, server_default="high"))
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.alter_column("sensitivity", server_default=None)


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.drop_column("sensitivity")
