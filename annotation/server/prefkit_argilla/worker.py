"""`python -m prefkit_argilla.worker`: Argilla's background jobs (record status, webhooks, exports).

One worker is enough for one machine. Argilla's own `worker` command would not know our search
engine. Jobs are forked from this process and import what they need, so that it stays small.
"""

from argilla_server.jobs.queues import DEFAULT_QUEUE, HIGH_QUEUE, REDIS_CONNECTION
from rq import Worker

from prefkit_argilla import engine, locking


def main() -> None:
    """Work until told to stop; a job that has begun is finished first."""
    assert engine  # imported for its registration
    locking.configure(always_writing=True)
    Worker([HIGH_QUEUE, DEFAULT_QUEUE], connection=REDIS_CONNECTION).work()


if __name__ == "__main__":
    main()
