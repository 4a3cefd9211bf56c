"""Success per start, time per start and expected time to the first success, with 95% intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True)
class Interval:
    """An estimate (None: no success, so no estimate) and what lies at its 95% limits."""

    value: float | None
    low: float
    high: float


def success_share(solved: int, starts: int) -> Interval:
    """Wilson's interval, as if starts were independent: those on one problem are not, so it is rather narrow."""
    limits = binomtest(solved, starts).proportion_ci(0.95, method="wilson")
    # The limit at no (only) successes is 0 (1) but for rounding.
    low, high = 0.0 if solved == 0 else limits.low, 1.0 if solved == starts else limits.high
    return Interval(solved / starts, float(low), float(high))


def time_to_success(share: Interval, seconds_per_start: float) -> Interval:
    """Seconds per start over success per start, with the limits of the latter. Without a success: a lower limit."""
    low = seconds_per_start / share.high
    if not share.value:
        return Interval(None, low, math.inf)
    return Interval(seconds_per_start / share.value, low, seconds_per_start / share.low)


def ratio_to_best(peers: Sequence[Interval], own: Interval) -> Interval | None:
    """Best peer's expected time over one's own. Limits combine opposite limits, so they hold with more than 95%. If no
    peer has a success, there is only the lower limit. None without peers or without a success of one's own."""
    if not peers or own.value is None:
        return None
    successful = [peer for peer in peers if peer.value is not None]
    if not successful:
        return Interval(None, min(peer.low for peer in peers) / own.high, math.inf)
    best = min(successful, key=lambda peer: peer.value)
    return Interval(best.value / own.value, best.low / own.high, best.high / own.low)
