"""The address that a notice was made for, so that a change of it takes no notice away."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what waits goes where its person's notices go now."""
    op.add_column("notices", sa.Column("address", sa.String(length=254), nullable=True))
    op.create_index("ix_notices_person_kind", "notices", ["person", "kind"])
    op.execute(
        "UPDATE notices SET address = (SELECT email FROM contacts WHERE contacts.person = notices.person) "
        "WHERE sent IS NULL AND given_up IS NULL"
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_notices_person_kind", table_name="notices")
    op.drop_column("notices", "address")
