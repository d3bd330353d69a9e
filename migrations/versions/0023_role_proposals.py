"""Roles that one operator would grant, and that wait for a second one."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; who holds a role keeps it."""
    op.create_table(
        "role_proposals",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "person", "role", name=op.f("pk_role_proposals")),
    )


def downgrade() -> None:
    """Go back; what was proposed is proposed again."""
    op.drop_table("role_proposals")
