"""The fix flow of a portal that has moved, which starts reconfiguration."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import SOURCE_RECONFIGURE, FlowType
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .forms import Form


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    return PortalMovedFlow({k: str(v) for k, v in (data or {}).items()})


class PortalMovedFlow(RepairsFlow):
    """Shows the new address, and starts reconfiguration.

    The secret is not sent to the new address before the user pastes it again.
    """

    def __init__(self, placeholders: dict[str, str]) -> None:
        """Set the placeholders of the texts, including the entry's ID."""
        self._placeholders = placeholders

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start the reconfiguration after confirmation."""
        form = Form(**self._placeholders)
        if user_input is not None:
            with form.fail_safe():
                return await self._reconfigure()
        return self.async_show_form(
            step_id="confirm",
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    async def _reconfigure(self) -> RepairsFlowResult:
        """Start the reconfiguration as the next flow."""
        flow = await self.hass.config_entries.flow.async_init(
            DOMAIN,
            context={
                "source": SOURCE_RECONFIGURE,
                "entry_id": self._placeholders["entry_id"],
            },
        )
        result = self.async_abort(
            reason="reconfigure", description_placeholders=self._placeholders
        )
        # The issue stays until a poll succeeds. The frontend opens the next flow (2026.9
        # and newer); on older versions the text says what to do.
        result["next_flow"] = (FlowType.CONFIG_FLOW, flow["flow_id"])  # type: ignore[typeddict-item]
        return result
