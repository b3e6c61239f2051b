"""What Lambda calls."""

import asyncio

from mangum import Mangum

from functions.api.app import start

# Mangum runs each request on the thread's current event loop, and Python no longer makes one by itself.
asyncio.set_event_loop(asyncio.new_event_loop())

handler = Mangum(start(), lifespan="off")
