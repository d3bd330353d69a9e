"""How many places of the genome left of each dataset, as a sketch."""

import sqlalchemy as sa
from alembic import op

from strongroom.database import Json

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what left before counts for nothing."""
    op.create_table(
        "released_sites",
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("smallest", Json, nullable=False),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_released_sites")),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("released_sites")
