"""A Ray cluster of two machines with one processor each, in a process of its own: ``python -m tests.ray_cluster``.

It prints its address and lives until its standard input closes.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

STORE = 100 << 20


def main() -> None:
    settings = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**settings, "include_dashboard": False})
    try:
        cluster.add_node(**settings)
        print(cluster.address, flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
