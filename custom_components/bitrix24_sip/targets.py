"""Which of the integration's entities the target of a trigger or a condition means."""

from typing import Any

from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)

from .const import DOMAIN

LINE = "registration"
PORTAL = "portal"


@callback
def async_targeted(
    hass: HomeAssistant, target: dict[str, Any], entity_ids: set[str], kind: str
) -> set[str]:
    """Return the entities of a kind among those that a target resolves to.

    A portal that is chosen by itself, its device or its sensor, also stands for all of
    its lines, those that are added later included.
    """
    entities = er.async_get(hass)
    found = {
        entity_id
        for entity_id in entity_ids
        if _is_of_kind(entities.async_get(entity_id), kind)
    }
    for entry_id in _portals(hass, target):
        of_portal = er.async_entries_for_config_entry(entities, entry_id)
        found |= {
            entity.entity_id for entity in of_portal if _is_of_kind(entity, kind)
        } - _excluded(hass, target)
    return found


def _is_of_kind(entity: er.RegistryEntry | None, kind: str) -> bool:
    """Return whether an entity is one of the integration's of a kind, and enabled."""
    return (
        entity is not None
        and entity.platform == DOMAIN
        and entity.domain == Platform.BINARY_SENSOR
        and entity.translation_key == kind
        and not entity.disabled
    )


def _portals(hass: HomeAssistant, target: dict[str, Any]) -> set[str]:
    """Return the config entries of the portals that a target names."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    found = set()
    for device_id in target.get(ATTR_DEVICE_ID, ()):
        device = devices.async_get(device_id)
        if device and (DOMAIN, device.config_entry_id) in device.identifiers:
            found.add(device.config_entry_id)
    for entity_id in target.get(ATTR_ENTITY_ID, ()):
        entity = entities.async_get(entity_id)
        if entity and entity.config_entry_id and _is_of_kind(entity, PORTAL):
            found.add(entity.config_entry_id)
    return found


def _excluded(hass: HomeAssistant, target: dict[str, Any]) -> set[str]:
    """Return what a target excludes, which it can since Home Assistant 2026.11."""
    excluded = async_extract_referenced_entity_ids(
        hass,
        TargetSelection(target.get("exclude", {})),
        expand_group=False,
        primary_entities_only=False,
    )
    return excluded.referenced | excluded.indirectly_referenced
