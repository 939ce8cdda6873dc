"""The same jobs as Ray tasks, over one machine or a cluster. Needs the extra `dfmnist[ray]`."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from dfmnist.core.extras import need
from dfmnist.core.jobs import progress_bar, settle_numerics

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_ray_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    describe: str,
    gpus_each: float = 0,
) -> Iterator[Result]:
    """Yield `function(job)` for each job in the order of `jobs`; each is a task of one CPU.

    Joins the cluster that `RAY_ADDRESS` names, else starts one here. Paths in jobs must mean the
    same on every machine. The first failure stops the rest and is raised as the job raised it.
    Raises `InputError` where Ray is not installed.
    """
    if not jobs:
        return
    need("ray", extra="ray", for_what="--engine ray")
    import ray

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")

    def settled(job: Job) -> Result:
        settle_numerics()
        return function(job)

    task = ray.remote(num_cpus=1, num_gpus=gpus_each, max_retries=0)(settled)
    waiting = [task.remote(job) for job in jobs]
    rest = list(waiting)
    try:
        with progress_bar() as bar:
            shown = bar.add_task(describe, total=len(jobs))
            while rest:
                done, rest = ray.wait(rest, num_returns=1)
                ray.get(done)  # a failure is raised at once, not in order
                bar.advance(shown)
        yield from ray.get(waiting)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        for left in rest:
            ray.cancel(left, force=True)
