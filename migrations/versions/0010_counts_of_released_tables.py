"""What every released table counted, for comparing new ones with it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; of tables that were released before, nothing is known."""
    op.create_table(
        "released_cells",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("rounded", sa.Boolean(), nullable=False),
        sa.Column("request", sa.String(32), nullable=False),
        sa.Column("file", sa.String(32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["releases.request"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_released_cells_dataset_key", "released_cells", ["dataset", "key"])
    op.create_index("ix_released_cells_request", "released_cells", ["request"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("released_cells")
