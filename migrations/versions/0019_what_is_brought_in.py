"""Datasets that are brought in, and the quarantine that their files come from."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; nothing was brought in before."""
    with op.batch_alter_table("datasets") as table:
        table.add_column(sa.Column("ingress", sa.String(length=32), nullable=True))
        table.create_unique_constraint("uq_datasets_ingress", ["ingress"])
    with op.batch_alter_table("airlock_runs") as table:
        table.add_column(sa.Column("brought_into", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("airlock_runs") as table:
        table.drop_column("brought_into")
    with op.batch_alter_table("datasets") as table:
        table.drop_constraint("uq_datasets_ingress", type_="unique")
        table.drop_column("ingress")
