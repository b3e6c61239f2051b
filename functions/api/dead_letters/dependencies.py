"""Dependencies of the routes of dead letters."""

from typing import Annotated

from functions.api.dependencies import provided
from infra.dead_letter_queues import DeadLetterQueues
from infra.dead_letter_reasons import Reasons

DeadLetters = Annotated[DeadLetterQueues, provided(lambda stores: stores.dead_letters)]
DeadLetterReasons = Annotated[Reasons, provided(lambda stores: stores.dead_letter_reasons)]
