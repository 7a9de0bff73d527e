"""A model that only tells its costs."""

from harness.workload import Cost, MemoryBudget

MEGA = 10**6


class WithCosts:
    """A model that keeps 100 MB and takes 10 MB an image."""

    def __init__(self, free, largest=32):
        self._room = MemoryBudget(free, 0, largest)

    def memory_budget(self):
        return self._room

    def cost(self, workload):
        return Cost(0.0, 100 * MEGA, workload.images * 10 * MEGA)
