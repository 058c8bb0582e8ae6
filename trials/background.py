"""A thread that works beside a trial."""

import threading


class Background(threading.Thread):
    """Works inside `with`: `run` returns soon after `stopped` is set, and then comes `close`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopped = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
        self.close()
