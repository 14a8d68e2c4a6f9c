"""Conditions: a line is registered, or is not registered."""

from types import MappingProxyType
from typing import override

from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import State
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .targets import LINE, async_targeted


class LineCondition(EntityStateConditionBase):
    """Whether any line, or all lines, are known to be registered, or not to be."""

    _domain_specs = MappingProxyType({Platform.BINARY_SENSOR: DomainSpec()})

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the lines among what the target resolves to."""
        return async_targeted(self._hass, self._target, entities, LINE)

    @override
    def _should_include(self, _state: State) -> bool:
        """Include a line of which nothing is known: it is neither."""
        return True

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Test all lines; where there is none, nothing is known to be so."""
        return bool(states) and super()._check_all_match_state(states)


class IsRegistered(LineCondition):
    """A line is registered."""

    _states = {STATE_ON}  # noqa: RUF012 - as the base class has it


class IsNotRegistered(LineCondition):
    """A line is not registered."""

    _states = {STATE_OFF}  # noqa: RUF012 - as the base class has it


CONDITIONS: dict[str, type[Condition]] = {
    "is_not_registered": IsNotRegistered,
    "is_registered": IsRegistered,
}
