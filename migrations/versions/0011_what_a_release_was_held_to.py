"""What a release was held to: purpose, thresholds, findings and tools, frozen as it left."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go forward; earlier releases have no record and no crate."""
    op.add_column("releases", sa.Column("record", JSON, nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("releases", "record")
