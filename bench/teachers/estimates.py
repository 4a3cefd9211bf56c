"""Success per start, time per start and expected time to the first success, with 95% intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import norm


@dataclass(frozen=True)
class Interval:
    """An estimate (None: no success, so no estimate) and what lies at its 95% limits."""

    value: float | None
    low: float
    high: float


def success_share(solved: Sequence[int], starts: Sequence[int]) -> Interval:
    """Success per start, every problem with the same weight, from solved and made starts by problem.

    Otherwise problems on which starts are short, and so many, would count most. The interval is Wilson's with the
    number of starts that gives a binomial share the variance of this mean, as if all problems were equally hard. Where
    they are not, it says what these problems give, and is too narrow for others.
    """
    share = sum(good / made for good, made in zip(solved, starts, strict=True)) / len(starts)
    number = len(starts) ** 2 / sum(1 / made for made in starts)
    z = norm.ppf(0.975)
    middle = share + z**2 / (2 * number)
    half = z * math.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    scale = 1 + z**2 / number
    # The limit at no (only) successes is 0 (1) but for rounding.
    low = (middle - half) / scale if any(solved) else 0.0
    high = (middle + half) / scale if list(solved) != list(starts) else 1.0
    return Interval(share, float(low), float(high))


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
