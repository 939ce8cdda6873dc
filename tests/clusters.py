"""A Ray cluster of several machines, which are processes of this one, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def two_machines() -> Iterator[Any]:
    """A head without CPUs, and two machines of one; they end with the `with` block."""
    import ray
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    found.add_node(num_cpus=1)
    found.add_node(num_cpus=1)
    yield found
    ray.shutdown()
    found.shutdown()
