"""Fixing what Home Assistant can: a portal that moved is reconfigured."""

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
    """Names the new address, and leads to reconfiguration.

    The secret is not sent to the new address before somebody pasted it with that.
    """

    def __init__(self, placeholders: dict[str, str]) -> None:
        """Take what the sentences name, and the entry."""
        self._placeholders = placeholders

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start the reconfiguration when somebody says so."""
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
        """Start the reconfiguration, and lead there."""
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
        # The issue stays until a poll is answered. Where the frontend knows of a next
        # flow (2026.9 and newer) it opens that; elsewhere the sentence says what to do.
        result["next_flow"] = (FlowType.CONFIG_FLOW, flow["flow_id"])  # type: ignore[typeddict-item]
        return result
