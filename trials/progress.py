"""How far each lane was applied, from moment to moment."""

import time
from bisect import bisect_right

from background import Background

# Seconds between two looks.
EVERY = 0.25


class Progress(Background):
    """Looks at the lanes inside `with`."""

    def __init__(self, deployment):
        super().__init__()
        self.session = deployment.connect()
        self.moments, self.positions = [], []

    def close(self):
        self.session.close()

    def run(self):
        while not self.stopped.wait(EVERY):
            lanes = self.session.execute("SELECT applied_next FROM lane_state ORDER BY lane")
            self.positions.append([applied for (applied,) in lanes])
            self.moments.append(time.monotonic())

    def at(self, lane, moment):
        """How far a lane was applied; between two looks as if it had moved steadily."""
        after = min(max(1, bisect_right(self.moments, moment)), len(self.moments) - 1)
        begun, ended = self.moments[after - 1], self.moments[after]
        first, last = self.positions[after - 1][lane], self.positions[after][lane]
        share = min(max(0, (moment - begun) / (ended - begun)), 1)
        return first + (last - first) * share

    def rate(self, lanes, since, until):
        """Requests applied per second, in all these lanes together."""
        applied = sum(self.at(lane, until) - self.at(lane, since) for lane in lanes)
        return applied / (until - since)

    def standstill(self, lanes, since, until):
        """The longest time in seconds in which one of these lanes did not move."""
        return max(self.longest(lane, since, until) for lane in lanes)

    def longest(self, lane, since, until):
        moved = [since]
        for before, after, moment in zip(self.positions, self.positions[1:], self.moments[1:]):
            if since < moment < until and before[lane] != after[lane]:
                moved.append(moment)
        return max(after - before for before, after in zip(moved, [*moved[1:], until]))
