"""When a trigger fires: once for each settled change of what it watches.

What is watched (a line, a portal) is registered, or reachable, or it is not, or that is
not known. Not knowing is no change: what was last known stands until something else is
known. So a line that is lost while its portal is silent fires when the portal speaks
again, and a line that comes back unchanged fires nothing. What is known first of
something is no change either: it may have been so for long.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum


class Behavior(StrEnum):
    """Which changes among several count, as Home Assistant names it."""

    EACH = "each"
    FIRST = "first"
    ALL = "all"


@dataclass(slots=True)
class _Pending[KeyT]:
    """A change that counts, and has to last until it is due."""

    key: KeyT
    due: float


class SettledChanges[KeyT: Hashable]:
    """Tells which changes to `target` there are to fire for. All times are seconds.

    A change has to last for the duration. That nothing is known meanwhile does not end
    it, but it fires only when it is known that it lasts.
    """

    def __init__(
        self,
        target: bool,
        behavior: Behavior = Behavior.EACH,
        duration: float = 0,
    ) -> None:
        """Begin with nothing known."""
        self._target, self._behavior, self._duration = target, behavior, duration
        self._settled: dict[KeyT, bool] = {}
        self._shown: dict[KeyT, bool | None] = {}
        # Since when it has been settled, where its change was seen.
        self._since: dict[KeyT, float] = {}
        self._lasted: dict[KeyT, float | None] = {}
        # What is not settled before some time: the value, since when, and that time.
        self._unsettled: dict[KeyT, tuple[bool, float, float]] = {}
        # By the key; for the behaviors that are about all keys together, by None.
        self._pending: dict[KeyT | None, _Pending[KeyT]] = {}

    def show(
        self,
        key: KeyT,
        value: bool | None,
        since: float,
        now: float,
        settles: float = 0,
    ) -> None:
        """Take what is shown of a key, None where it is not known.

        since: when it began to be shown; settles: when it counts, if it still is shown
        then.
        """
        self._unsettled.pop(key, None)
        if value is None or value is self._settled.get(key):
            self._shown[key] = value
        elif settles > now:
            self._shown[key] = None
            self._unsettled[key] = value, since, settles
        else:
            self._settle(key, value, since)

    def _settle(self, key: KeyT, value: bool, since: float) -> None:
        """Note a value that is new and settled."""
        before = self._settled.get(key)
        self._settled[key] = self._shown[key] = value
        began = self._since.pop(key, None)
        self._lasted[key] = None if began is None else max(since - began, 0)
        if before is not None:
            self._since[key] = since
        group = key if self._behavior is Behavior.EACH else None
        if not self._holds(group):
            self._pending.pop(group, None)
        elif before is not None and value is self._target and self._counts():
            self._pending[group] = _Pending(key, since + self._duration)

    def _holds(self, group: KeyT | None) -> bool:
        """Return whether what is waited for is so, as far as was last known."""
        if group is not None:
            return self._settled.get(group) is self._target
        values = self._settled.values()
        if self._behavior is Behavior.ALL:
            return bool(values) and all(value is self._target for value in values)
        return any(value is self._target for value in values)

    def _counts(self) -> bool:
        """Return whether a change to the target just now is one of those that count."""
        if self._behavior is not Behavior.FIRST:
            return True
        return list(self._settled.values()).count(self._target) == 1

    def keep(self, keys: Collection[KeyT]) -> None:
        """Forget all keys but these."""
        gone = self._shown.keys() - set(keys)
        for key in gone:
            for known in (self._settled, self._shown, self._since, self._lasted):
                known.pop(key, None)
            self._unsettled.pop(key, None)
        for group in list(self._pending):
            if not self._holds(group):
                del self._pending[group]

    def fire(self, now: float) -> list[KeyT]:
        """Return the keys that there is to fire for, each change once."""
        for key, (value, since, settles) in list(self._unsettled.items()):
            if settles <= now:
                del self._unsettled[key]
                self._settle(key, value, since)
        fired: list[KeyT] = []
        for group, pending in list(self._pending.items()):
            if pending.due <= now and (keys := self._certain(pending.key, group)):
                del self._pending[group]
                fired.append(keys[0])
        return fired

    def _certain(self, key: KeyT, group: KeyT | None) -> list[KeyT]:
        """Return the keys of which the target is shown now, that of a change first."""
        keys = [key, *self._shown] if group is None else [key]
        return [key for key in keys if self._shown.get(key) is self._target]

    def next(self, now: float) -> float | None:
        """Return when there may be something to fire for, None where nothing waits."""
        times = [settles for _, _, settles in self._unsettled.values()]
        times += [pending.due for pending in self._pending.values()]
        return min((time for time in times if time > now), default=None)

    def lasted(self, key: KeyT) -> float | None:
        """Return how long it was what it was before, None where that is not known."""
        return self._lasted.get(key)
