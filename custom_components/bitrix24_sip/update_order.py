"""In which order the entities of a portal are updated."""

from enum import IntEnum, auto
from typing import Any, NamedTuple, override

from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator


class UpdateOrder(IntEnum):
    """In which order entities are updated.

    Details are written before the states that trigger automations, because those run
    inside the state write, and their messages tell the details.
    """

    LINE_DETAILS = auto()
    LINE_PROBLEM = auto()
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


class OrderedCoordinator[DataT](DataUpdateCoordinator[DataT]):
    """A coordinator that updates its entities in their order."""

    _in_order = False  # the listeners are

    @callback
    @override
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: Any = None
    ) -> CALLBACK_TYPE:
        """Add a listener, which is put in its place before the next update."""
        self._in_order = False
        return super().async_add_listener(update_callback, context)

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the entities in their order, and whoever else listens after them."""
        if not self._in_order:
            self._listeners = dict(sorted(self._listeners.items(), key=_place_of))
            self._in_order = True
        super().async_update_listeners()


def _place_of(listener: tuple[int, tuple[CALLBACK_TYPE, object]]) -> int:
    """Return the place of a listener among the others; those without a context last."""
    _, (_, context) = listener
    return context.order if isinstance(context, EntityContext) else len(UpdateOrder) + 1
