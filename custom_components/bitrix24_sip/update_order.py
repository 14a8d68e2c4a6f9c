"""In which order the entities of a portal are updated."""

from enum import IntEnum, auto
from typing import NamedTuple

from homeassistant.core import CALLBACK_TYPE


class UpdateOrder(IntEnum):
    """In which order entities are updated.

    Details are written before the states that trigger automations, because those run
    inside the state write, and their messages tell the details.
    """

    LINE_DETAILS = auto()
    LINE_STATUS = auto()
    LINE_REGISTRATION = auto()
    PORTAL_DETAILS = auto()
    PORTAL_STATE = auto()
    LINE_EVENT = auto()
    PORTAL_EVENT = auto()


class EntityContext(NamedTuple):
    """The coordinator context of an entity. reg_id: None for one of the portal."""

    order: UpdateOrder
    reg_id: int | None = None


def place_of(listener: tuple[int, tuple[CALLBACK_TYPE, object]]) -> int:
    """Return the place of a listener among the others; those without a context last."""
    _, (_, context) = listener
    return context.order if isinstance(context, EntityContext) else len(UpdateOrder) + 1
