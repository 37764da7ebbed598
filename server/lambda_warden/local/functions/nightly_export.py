"""Export everything, slowly. Its own timeout is three seconds."""

import time


def handler(event, context):
    seconds = event.get("seconds", 1)
    print(f"exporting for {seconds} s")
    time.sleep(seconds)
    return {"exported": 1280, "seconds": seconds}
