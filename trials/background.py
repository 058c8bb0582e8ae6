"""A thread that works beside a trial."""

import threading


class Background(threading.Thread):
    """Runs `run` inside `with`. Its end sets `stopped`, waits for `run`, and calls `close`."""

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
