"""Since when a run's plan follows data, by a grant of its manifest."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; no earlier run followed data."""
    op.add_column("runs", sa.Column("data_dependent", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("runs", "data_dependent")
