"""What Lambda calls."""

from mangum import Mangum

from functions.api.app import start

handler = Mangum(start(), lifespan="off")
