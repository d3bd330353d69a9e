"""Ends what a run made or an ingress brought: its key is destroyed, then its bodies are removed (T12)."""

import sqlalchemy as sa

from archive.keys.purposes import Purpose
from archive.store import StoredObject
from strongroom.database import reading
from strongroom.doors import ask
from strongroom.objects import open_store
from strongroom.settings import Settings


def destroy_run(engine: sa.Engine, settings: Settings, run: str) -> list[str]:
    """Destroy a run's key and remove what its tasks made; return the objects. Safe to repeat."""
    return destroy(engine, settings, Purpose.RUN, run)


def destroy(engine: sa.Engine, settings: Settings, purpose: Purpose, owner: str) -> list[str]:
    """Destroy the key of a run or a quarantine and remove the bodies that are in it; return their objects.

    Safe to repeat. What became a dataset's is sealed to that and no longer here.
    """
    ask(settings.sockets / "broker.sock", {"verb": "destroy", "purpose": purpose.value, "owner": owner})
    # Asked after the key is gone: whatever was registered up to then is found.
    with reading(engine) as session:
        here = (StoredObject.purpose == purpose.value, StoredObject.owner == owner)
        objects = session.scalars(sa.select(StoredObject.id).where(*here).order_by(StoredObject.id)).all()
    store = open_store(settings)
    for identifier in objects:
        store.delete(identifier)
    return list(objects)
