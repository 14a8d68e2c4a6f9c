"""Binary sensors in the usual pattern."""

from typing import Any, override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined]
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import UsualConfigEntry, UsualLineEntity, UsualPortalEntity


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UsualConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities."""
    coordinator = entry.runtime_data
    async_add_entities(
        UsualPortalBinarySensor(coordinator, key)
        for key in ("portal", "lines", "connector_paid")
    )
    async_add_entities(
        UsualRegistration(coordinator, line, "registration")
        for line in coordinator.lines.values()
    )


class UsualPortalBinarySensor(UsualPortalEntity, BinarySensorEntity):
    """A binary sensor of a portal."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the value."""
        data = self.coordinator.data
        match self.key:
            case "portal":
                return self.coordinator.last_update_success
            case "lines":
                return data.count(registered=False) > 0
            case _:
                return data.connector.paid


class UsualRegistration(UsualLineEntity, BinarySensorEntity):
    """Whether a line is registered."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    @property
    @override
    def is_on(self) -> bool:
        """Return the value."""
        return self.registration.registered

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return whether calls go out by this line by default."""
        outgoing = self.coordinator.data.outgoing
        return {
            "default_outgoing_line": outgoing is not None
            and outgoing.reg_id == self.reg_id
        }
