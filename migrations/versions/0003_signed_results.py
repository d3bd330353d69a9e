"""What an attempt registers is signed with its own key; whoever held its connection counts no more (T22)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; grants of before are of no use any more, as their attempts have ended with the upgrade."""
    with op.batch_alter_table("grants") as batch_op:
        batch_op.alter_column("peer", new_column_name="signing_key", type_=sa.String(length=64))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("grants") as batch_op:
        batch_op.alter_column("signing_key", new_column_name="peer", type_=sa.String(length=40))
