"""celery on a Redis, whose address is REDIS_URL: `celery_peer.py COUNT` sends, `celery -A celery_peer worker` works."""

from __future__ import annotations

import os
import sys
from threading import Thread

from celery import Celery

app = Celery("celery_peer", broker=os.environ["REDIS_URL"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 64


@app.task(name="noop")
def noop() -> None:
    pass


def send(count: int) -> None:
    for _ in range(count):
        noop.delay()


if __name__ == "__main__":
    noop.delay()
    print("ready", flush=True)
    sys.stdin.read()
    threads = [Thread(target=send, args=(int(sys.argv[1]) // 4,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
